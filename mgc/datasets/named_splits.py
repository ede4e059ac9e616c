"""A dataset's splits by name: generated, imported or cleaned; one of them is in use.

``splits/NAME.csv`` in the dataset's folder holds track_id and split. The one in use is the
table's split column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mgc.datasets import grouping, table
from mgc.datasets.importers.manifest import import_split
from mgc.datasets.splits import GroupBy, make_split
from mgc.datasets.table import RECORD, Dataset, checked_name
from mgc.errors import MgcError, UsageError, counted, unknown
from mgc.home import read_json

FIRST = "first"  # the name of the split made at import


def current(dataset: Dataset) -> str:
    """The name of the split in use."""
    return str(dataset.record.get("split", {}).get("name", FIRST))


def grouped_by(dataset: Dataset) -> str:
    """What the split in use was grouped by; if it came from elsewhere, what folds are."""
    made = dataset.record.get("split", {})
    return str(made.get("grouped_by", dataset.record.get("group_by", "none")))


def names(dataset: Dataset) -> list[str]:
    """All its splits."""
    stored = {path.stem for path in (dataset.folder / "splits").glob("*.csv")}
    return sorted({current(dataset), *stored})


def put(dataset: Dataset, name: str, split: pd.Series, how: Mapping[str, Any]) -> Dataset:
    """Store a split under a name and switch to it; the one that was in use is kept.

    Args:
        dataset: a saved dataset.
        name: the new split's name; an old one of that name is replaced.
        split: training, validation, test or "" for each row of the table.
        how: how it was made, for the dataset's record.
    """
    checked_name(name)
    tracks, record = dataset.tracks.assign(split=split), {**dataset.record}
    record["split"] = {**how, "name": name}
    made = replace(dataset, tracks=tracks, record=record)
    record["grouping"] = grouping.facts(tracks, grouped_by(made))
    both = {current(one): one for one in (dataset, made)}
    origins = {name: dict(one.record.get("split", {})) for name, one in both.items()}
    record["splits"] = {**record.get("splits", {}), **origins}
    return table.save(made, {_file(name): _content(one) for name, one in both.items()})


def make(dataset: Dataset, name: str, by: GroupBy, seed: int) -> Dataset:
    """Make a new stratified, grouped split under a name, and switch to it.

    Raises UsageError if no track has a value to group by.
    """
    grouping.check_known(dataset.tracks, by, dataset.name)
    split = make_split(dataset.tracks, by, seed)
    how = {"made": "stratified by genre", "grouped_by": by, "seed": seed}
    return put(dataset, name, split, how)


def read(dataset: Dataset, name: str, path: Path) -> Dataset:
    """Read a split from a table (track_id, split) and switch to it; other tracks get none."""
    split = dataset.tracks["track_id"].map(import_split(path)).fillna("").astype(str)
    if (split == "").all():
        raise MgcError(
            f"{path} names none of the {counted(len(split), 'track')} of {dataset.name!r}.",
            f"Its track_id column should hold ids like {dataset.tracks['track_id'].iloc[0]!r}.",
        )
    return put(dataset, name, split, {"made": f"read from {path}"})


def use(dataset: Dataset, name: str) -> Dataset:
    """Switch to a stored split. Raises UsageError for an unknown name."""
    if name == current(dataset):
        return dataset
    if name not in names(dataset):
        raise unknown("split", name, names(dataset), f"mgc data split {dataset.name} --list")
    hint = f"Make it again: mgc data split {dataset.name} --as {name}"
    table.check_file(dataset.name, read_json(dataset.folder / RECORD), _file(name), hint)
    split = dataset.tracks["track_id"].map(import_split(dataset.folder / _file(name)))
    if split.isna().all():
        raise UsageError(
            f"Split {name!r} names none of the {counted(len(split), 'track')} of {dataset.name!r}.",
            f"Make one: mgc data split {dataset.name} --as NAME",
        )
    how = dataset.record.get("splits", {}).get(name, {"made": "stored"})
    return put(dataset, name, split.fillna("").astype(str), how)


def _content(dataset: Dataset) -> bytes:
    return dataset.tracks[["track_id", "split"]].to_csv(index=False).encode()


def _file(name: str) -> str:
    return f"splits/{name}.csv"
