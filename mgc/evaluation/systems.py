"""What is compared: systems, each made of one or more runs (seeds) of the same request, by
track."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import pandas as pd

from mgc.ensembling.alignment import checked
from mgc.errors import UsageError
from mgc.runs import Run, identity

#: What of their datasets is the same in all runs of a comparison, in words.
PROTOCOL = {"name": "dataset", "genres": "genres", "folds": "number of folds"}


@dataclass(frozen=True)
class System:
    """Runs that differ only in their seed. Figures are means over them; folds are pooled."""

    name: str
    kind: str
    runs: Sequence[Run]

    @cached_property
    def tables(self) -> list[pd.DataFrame]:
        """For each run, its test rows: genre and answer (numbers), right, confidence, and group,
        by track id."""
        return [_scored(run) for run in self.runs]

    @property
    def splits(self) -> list[str]:
        """For each run the name of its division into splits."""
        return [run.record.dataset.split or "" for run in self.runs]

    def tables_of(self, split: str) -> list[pd.DataFrame]:
        """The tables of the runs on one division into splits."""
        return [t for s, t in zip(self.splits, self.tables, strict=True) if s == split]

    @cached_property
    def right(self) -> pd.Series:
        """For each track (index) the share of the runs that were right."""
        right: pd.Series = pd.concat([table["right"] for table in self.tables])
        return right.groupby(level=0).mean()

    def figures(self, name: str) -> list[float]:
        """One of the figures of the test rows, run by run."""
        return [float(run.scores["test"][name]) for run in self.runs]


def _scored(run: Run) -> pd.DataFrame:
    rows = run.rows("test")
    probabilities = checked(run)[rows.index]
    genre, answer = run.truth(rows), probabilities.argmax(1)
    group = rows["group"] if "group" in rows else rows["track_id"]
    table = {"genre": genre, "answer": answer, "right": (genre == answer).astype(float)}
    table["confidence"] = probabilities.max(1)
    return pd.DataFrame({**table, "group": group.to_numpy()}, index=rows["track_id"].to_numpy())


def systems(found: Sequence[Run]) -> list[System]:
    """Group runs into systems, in the order given; a run of the same request and seed as another (a
    repetition) becomes a separate system.

    Raises UsageError if runs differ in dataset, genres or number of folds, MgcError if they differ
    in labels other than corrected ones, groups or audio: their figures mean different things and do
    not belong in one table.
    """
    if not found:
        raise UsageError("There are no runs to compare.", "Run: mgc fit --extractor mfcc")
    identity.require_same(found, PROTOCOL, "Name runs of one dataset and protocol: mgc runs list")
    identity.check_alike(found, corrected=True)
    grouped: dict[tuple[str, int], list[Run]] = {}
    seen: dict[tuple[str, Any], int] = {}
    for run in {run.folder: run for run in found}.values():
        record = run.record
        key = _request(run), record.seed if record.seeded else record.dataset.split
        repetition = seen[key] = seen.get(key, -1) + 1
        grouped.setdefault((key[0], repetition), []).append(run)
    names = [members[0].title for members in grouped.values()]
    return [
        System(
            name if names.count(name) == 1 else f"{name} ({members[0].name})",
            members[0].kind,
            sorted(members, key=lambda run: run.record.seed or 0),
        )
        for name, members in zip(names, grouped.values(), strict=True)
    ]


def _request(run: Run) -> str:
    """A run's request without its seed: equal for the seeds of one system."""
    record = run.record
    parts: list[Any] = [run.title, record.dataset.corrections]
    if run.kind == "single":
        parts += [record.extractor.fingerprint, record.head.params, record.head.training]
        parts += [record.identity.get(name) for name in ("pooling", "learning")]
    else:
        parts += [record.member_labels, record.strategy.params, record.strategy.learn_from]
    return json.dumps(parts, sort_keys=True, default=str)


def share_tracks(compared: Sequence[System]) -> tuple[list[str], pd.Index]:
    """The splits that all systems have runs of, and the tracks that all of those runs scored by the
    same label."""
    splits = [s for s in dict.fromkeys(compared[0].splits) if all(s in c.splits for c in compared)]
    tables = [t for c in compared for split in splits for t in c.tables_of(split)]
    if not tables:
        return splits, pd.Index([])
    tracks = reduce(pd.Index.intersection, [t.index for t in tables]).unique().sort_values()
    genres = np.array([table.loc[tracks, "genre"] for table in tables])
    return splits, tracks[(genres == genres[0]).all(0)]


def by_seed(compared: Sequence[System], splits: Sequence[str]) -> Iterator[list[pd.DataFrame]]:
    """The systems' tables seed by seed; a run that does not depend on the seed is in each."""
    for split in splits:
        tables = [system.tables_of(split) for system in compared]
        most = max(map(len, tables))
        repeated = [
            own if system.runs[0].record.seeded else own * most
            for system, own in zip(compared, tables, strict=True)
        ]
        yield from map(list, zip(*repeated, strict=False))


def group_numbers(compared: Sequence[System], tracks: pd.Index) -> np.ndarray:
    """The group number of each track (track,), as numbered in one run: the numbers differ
    between runs."""
    table = compared[0].tables[0]
    groups = table["group"][~table.index.duplicated()].reindex(tracks)
    return pd.factorize(groups)[0]
