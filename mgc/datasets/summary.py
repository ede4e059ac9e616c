"""Statistics of a dataset, and its export as a table for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mgc.datasets import grouping, named_splits
from mgc.datasets.csv_cells import csv_row
from mgc.datasets.quarantine import quarantined_tracks
from mgc.datasets.remarks import remarks
from mgc.datasets.table import SPLITS, Dataset
from mgc.errors import MgcError, UsageError
from mgc.home import replace_file

FORMATS = (".csv", ".tsv", ".parquet")


def summary(dataset: Dataset) -> dict[str, Any]:
    """Tracks, hours, genres and splits, artists, what is left out and why; JSON-ready."""
    tracks = dataset.tracks
    bad = quarantined_tracks(dataset)
    used = [name for name in (*SPLITS, "") if (tracks["split"] == name).any()]
    by_genre = tracks.groupby(["genre", "split"]).size().unstack(fill_value=0)
    order = by_genre.sum(axis=1).sort_values(ascending=False, kind="stable").index
    return {
        "name": dataset.name,
        "tracks": len(tracks),
        "hours": round(float(tracks["duration"].sum()) / 3600, 2),
        "tracks_of_unknown_length": int(tracks["duration"].isna().sum()),
        "artists": _known(dataset, "artist"),
        "albums": _known(dataset, "album"),
        "genres": {
            str(genre): {
                "tracks": int(by_genre.loc[genre].sum()),
                **{name or "none": int(by_genre.loc[genre, name]) for name in used},
            }
            for genre in order
        },
        "splits": {name or "none": int((tracks["split"] == name).sum()) for name in used},
        "split": {**dataset.record.get("split", {}), "name": named_splits.current(dataset)},
        "split_names": named_splits.names(dataset),
        "group_by": dataset.record.get("group_by", "none"),
        "grouping": grouping.facts(tracks, named_splits.grouped_by(dataset)),
        "folds": dataset.record.get("folds", 0),
        "remarks": remarks(dataset),
        "unreadable": list(dataset.record.get("unreadable", [])),
        "corrections": dict(dataset.record.get("corrections", {})),
        "left_out": dict(dataset.record.get("left_out", {})),
        "quarantined": {str(k): int(n) for k, n in bad["fault"].value_counts().items()},
        "checked": (dataset.folder / "check.csv").exists(),
        "root": str(dataset.root),
        "importer": dataset.record.get("importer", ""),
        "source": dataset.record.get("source", ""),
    }


def _known(dataset: Dataset, column: str) -> int:
    values = dataset.tracks[column]
    return int(values[values != ""].nunique())


def export(dataset: Dataset, path: Path, *, replace: bool = False) -> None:
    """Write the table as CSV, TSV or Parquet, with absolute paths: ``mgc data add`` reads it back.

    Raises UsageError for another extension, or if the file exists and ``replace`` is not set.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{path} has no file name extension that names the format.",
            f"Use one of {', '.join(FORMATS)}.",
        )
    if path.exists() and not replace:
        raise UsageError(f"{path} already exists.", "Choose another name, or add --force.")
    if not path.parent.is_dir():
        raise MgcError(f"The folder {path.parent} does not exist.", "Create it first.")
    tracks = dataset.tracks.assign(path=[str(path) for path in dataset.paths()])
    if path.suffix.lower() == ".parquet":
        replace_file(path, tracks.to_parquet(index=False))
    else:
        separator = "\t" if path.suffix.lower() == ".tsv" else ","
        known = tracks.astype(object).where(tracks.notna(), None)
        rows: list[Any] = [tracks.columns, *known.itertuples(index=False)]
        replace_file(path, "".join(csv_row(row, separator) for row in rows).encode())
