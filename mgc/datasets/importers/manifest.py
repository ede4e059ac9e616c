"""Import from a CSV or Parquet table with one row per track."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mgc.datasets.table import SPLITS, table
from mgc.errors import MgcError, UsageError

SUFFIXES = (".csv", ".tsv", ".parquet")
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
SPLIT_ALIASES = {
    "train": "training",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "testing": "test",
}


def import_manifest(path: Path) -> pd.DataFrame:
    """Read the table; ``path`` and ``genre`` are needed, relative paths start at its folder.

    Raises UsageError if a column is missing or a split has an unknown name, MgcError if
    the file cannot be read.
    """
    rows = _read(path)
    rows.columns = [str(column).strip().lower() for column in rows.columns]
    for old, new in ALIASES.items():
        if old in rows and new not in rows:
            rows = rows.rename(columns={old: new})
    for column in ("path", "genre"):
        if column not in rows:
            raise UsageError(
                f"{path} has no column {column!r}; it has {', '.join(rows.columns)}.",
                "One row per track: path, genre, and if known track_id, split, artist, album.",
            )
    rows["genre"] = rows["genre"].fillna("").astype(str).str.strip()
    rows = rows[rows["genre"] != ""]
    if "track_id" not in rows:
        rows["track_id"] = rows["path"]
    return table(_with_split(rows, path), str(path))


def import_split(path: Path) -> dict[str, str]:
    """track_id → split from a table with these columns (or their aliases).

    Raises UsageError if a column is missing or a split has an unknown name, MgcError if
    the file cannot be read.
    """
    rows = _read(path)
    rows.columns = [str(column).strip().lower() for column in rows.columns]
    if "track_id" not in rows:
        rows = rows.rename(columns={old: new for old, new in ALIASES.items() if new == "track_id"})
    rows = _with_split(rows, path)
    for column in ("track_id", "split"):
        if column not in rows:
            raise UsageError(
                f"{path} has no column {column!r}; it has {', '.join(rows.columns)}.",
                "One row per track: track_id, split.",
            )
    return dict(zip(rows["track_id"].astype(str), rows["split"], strict=True))


def _read(path: Path) -> pd.DataFrame:
    if not path.exists():
        raise UsageError(f"{path} does not exist.", "Check the path.")
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        separator = "\t" if path.suffix.lower() == ".tsv" else ","
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise MgcError(
            f"{path} cannot be read as a table: {error}.",
            f"It should be one of {', '.join(SUFFIXES)}, with a row of column names first.",
        ) from error


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
