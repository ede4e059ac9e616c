"""Import from a CSV or Parquet table with one row per track."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mgc.audio import audio_files
from mgc.datasets.importers.naming import AS_WRITTEN, NameRules, named_genres
from mgc.datasets.importers.tabular import GUESSED, as_text, read_table, uncertain
from mgc.datasets.table import COLUMNS, SPLITS, table
from mgc.errors import MgcError, UsageError

#: What other people's tables call our columns.
ALIASES = {
    "id": "track_id",
    "track": "track_id",
    "file": "path",
    "filename": "path",
    "filepath": "path",
    "label": "genre",
    "genre_top": "genre",
    "artist_id": "artist",
    "album_id": "album",
}
#: Columns that may hold a split; they are used only if every value is a split's name.
MAYBE_SPLITS = ("subset", "set", "partition", "fold")
#: What a column of predefined folds may be called (ESC-50, UrbanSound8K: "fold").
FOLDS = ("fold", "folds", "cv_fold", "kfold")
SHOWN = 20  # column names in an error
SPLIT_ALIASES = {
    "train": "training",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "testing": "test",
}


def import_manifest(path: Path, rules: NameRules = AS_WRITTEN) -> pd.DataFrame:
    """Read the table; ``path`` and ``genre`` are needed, relative paths start at its folder.

    Rows that cannot be used are counted by reason in ``attrs["left_out"]``; what had to be assumed
    is said in ``attrs["remarks"]``.

    Raises UsageError if a column is missing or a split has an unknown name, MgcError if
    the file cannot be read.
    """
    rows, guessed = read_table(path, lambda names: {"path", "genre"} <= _known(names))
    rows = _with_columns(rows, path, ("path", "genre"), "path, genre, and if known track_id, split")
    for column in {*COLUMNS, *FOLDS} & set(rows) - {"duration"}:
        rows[column] = as_text(rows[column], path)
    if "duration" in rows:
        rows["duration"] = _seconds(rows["duration"])
    if guessed:
        _encoding_matters(rows, path)
    rows["genre"] = rows["genre"].str.strip()
    left_out = {"same row twice": len(rows)}
    rows = rows[~rows.astype(str).duplicated()]
    left_out["same row twice"] -= len(rows)
    named = named_genres([[genre] for genre in rows["genre"]], rules)
    rows = rows.assign(genre=named.genres)
    rows = rows[rows["genre"] != ""]
    if "track_id" not in rows:
        _each_path_once(rows, path)
        rows = rows.assign(track_id=rows["path"])
    made = table(_with_split(_with_folds(rows), path), str(path))
    left_out |= named.left_out
    made.attrs["left_out"] = {what: count for what, count in left_out.items() if count}
    guess = [f"{path.name} is not UTF-8 and was read as {GUESSED} (Windows)."] * guessed
    if remarks := [*guess, *made.attrs.get("remarks", []), *named.remarks]:
        made.attrs["remarks"] = remarks
    return made


def import_split(path: Path) -> dict[str, str]:
    """track_id → split from a table with these columns (or their aliases).

    Raises UsageError if a column is missing or a split has an unknown name, MgcError if
    the file cannot be read.
    """
    rows, _ = read_table(path, lambda names: "track_id" in _known(names))
    if "track_id" not in rows:
        rows = rows.rename(columns={old: new for old, new in ALIASES.items() if new == "track_id"})
    rows = _with_split(rows, path)
    _needed(rows, path, ("track_id", "split"), "track_id, split")
    return dict(zip(as_text(rows["track_id"], path), rows["split"], strict=True))


def _known(names: Sequence[str]) -> set[str]:
    """Our names of the columns, aliases resolved."""
    return {ALIASES.get(name, name) for name in names}


def _with_columns(
    rows: pd.DataFrame, path: Path, needed: Sequence[str], expected: str
) -> pd.DataFrame:
    for old, new in ALIASES.items():
        if old in rows and new not in rows:
            rows = rows.rename(columns={old: new})
    _needed(rows, path, needed, f"{expected}, artist, album")
    return rows


def _needed(rows: pd.DataFrame, path: Path, needed: Sequence[str], expected: str) -> None:
    for column in needed:
        if column not in rows:
            if any(Path(name).suffix in audio_files.SUFFIXES for name in rows.columns):
                raise UsageError(
                    f"{path} has no row of column names: its first line is a track.",
                    f"Put one first: {expected}.",
                )
            raise UsageError(
                f"{path} has no column {column!r}; it has {', '.join(rows.columns[:SHOWN])}"
                f"{', …' * (len(rows.columns) > SHOWN)}.",
                f"One row per track: {expected}.",
            )


def _seconds(values: pd.Series) -> pd.Series:
    """Durations as numbers, also from ``3,5`` and from Parquet's timedelta."""
    if pd.api.types.is_timedelta64_dtype(values):
        seconds: pd.Series = values.dt.total_seconds()
        return seconds
    if pd.api.types.is_numeric_dtype(values):
        return values
    return pd.to_numeric(values.astype(str).str.replace(",", "."), errors="coerce")


def _encoding_matters(rows: pd.DataFrame, path: Path) -> None:
    """Refuse a guessed encoding unless the files that it names exist, or if no path, genre or id
    depends on it."""
    strange = rows["path"][~rows["path"].map(str.isascii)]
    if len(strange):
        certain = all(os.path.exists(path.parent / name) for name in strange)
    else:
        certain = bool(rows["genre"].map(str.isascii).all())
    if not certain:
        raise uncertain(path)


def _each_path_once(rows: pd.DataFrame, path: Path) -> None:
    twice = rows["path"][rows["path"].duplicated()]
    if len(twice):
        genres = rows.loc[rows["path"] == twice.iloc[0], "genre"].unique()
        raise MgcError(
            f"{path}: the path {twice.iloc[0]!r} occurs more than once, as {' and '.join(genres)} "
            f"({twice.nunique()} such path{'s' if twice.nunique() > 1 else ''}).",
            "Keep one row per file, or give each row an id: a column track_id.",
        )


def _with_folds(rows: pd.DataFrame) -> pd.DataFrame:
    """The table with its column of folds under the name ``fold``."""
    theirs = next((name for name in FOLDS if name in rows), "fold")
    return rows.rename(columns={theirs: "fold"})


def _with_split(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    if "split" not in rows:
        for column in MAYBE_SPLITS:
            if column in rows and set(_split_names(rows[column])) <= {*SPLITS, ""}:
                return rows.assign(split=_split_names(rows[column])).drop(columns=column)
        return rows
    split = _split_names(rows["split"])
    strange = set(split) - {*SPLITS, ""}
    if strange:
        raise UsageError(
            f"{path}: split {sorted(strange)[0]!r} is unknown.",
            f"Use {', '.join(SPLITS)}, or remove the column to have a split made.",
        )
    return rows.assign(split=split)


def _split_names(values: pd.Series) -> pd.Series:
    return values.fillna("").astype(str).str.strip().str.lower().replace(SPLIT_ALIASES)
