"""Puts the predictions of several runs side by side, row by row: by fold, part and track id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import pandas as pd

from mgc import runs
from mgc.errors import MgcError, UsageError
from mgc.runs import Run, identity

KEYS = ["fold", "part", "track_id"]
TOLERANCE = 1e-3  # how far the sum of a row of stored probabilities may be from 1


@dataclass(frozen=True)
class Aligned:
    """The rows that all members share.

    Attributes:
        members: the runs.
        table: the first member's rows (track, …), sorted by fold, part and track id, without
            its probabilities.
        positions: for each member, the numbers (row,) of these rows in its own predictions.
        tracks: how many different tracks all members have in common.
        of: how many tracks any member has.
    """

    members: Sequence[Run]
    table: pd.DataFrame
    positions: Sequence[np.ndarray]
    tracks: int
    of: int

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(member, row, genre) float64; rows sum to 1."""
        pairs = zip(self.members, self.positions, strict=True)
        return np.stack([checked(run)[at] for run, at in pairs])

    @cached_property
    def embeddings(self) -> list[np.ndarray]:
        """For each member (row, dimension) float32."""
        return [run.embeddings[at] for run, at in zip(self.members, self.positions, strict=True)]

    @cached_property
    def genres(self) -> np.ndarray:
        """The true genre numbers (row,)."""
        return self.members[0].truth(self.table)

    @cached_property
    def groups(self) -> np.ndarray:
        """The number of each row's group (artist); if none is known, each track is its own
        group."""
        column = "group" if "group" in self.table else "track_id"
        return pd.factorize(self.table[column])[0]

    @cached_property
    def folds(self) -> list[int]:
        """The fold numbers, in order."""
        return sorted(int(fold) for fold in self.table["fold"].unique())

    def rows(self, fold: int, *parts: str) -> np.ndarray:
        """The numbers of the rows of some parts of a fold."""
        inside = (self.table["fold"] == fold) & self.table["part"].isin(parts)
        return np.nonzero(inside.to_numpy())[0]


def align(members: Sequence[Run], smallest_share: float) -> Aligned:
    """Put runs side by side.

    Rows are matched by fold, part and track id, whatever their order in the files.

    Raises:
        UsageError: fewer than two runs, an ensemble among them, one named twice, or runs that
            differ in dataset, genres or splits, or share too few tracks.
        MgcError: a run lists a track twice, runs differ in labels, groups or audio, or
            probabilities are not finite.
    """
    _check(members)
    identity.same_tracks(members)
    tables = [_indexed(run) for run in members]
    common = reduce(pd.Index.intersection, [table.index for table in tables]).sort_values()
    shared = len(_tracks(common))
    tracks = [_tracks(table.index) for table in tables]
    every = set().union(*tracks)
    parts = {key[:2] for key in tables[0].index}
    if shared < smallest_share * len(every) or parts != {key[:2] for key in common}:
        counts = [f"{run.name} {len(own):,}" for run, own in zip(members, tracks, strict=True)]
        raise UsageError(
            f"Only {shared:,} of {len(every):,} tracks are in every run ({', '.join(counts)}); "
            f"at least {smallest_share:.0%} are required, in every fold and part.",
            "Fit the runs again on the same files, or allow less with --min-overlap.",
        )
    tables = [table.loc[common] for table in tables]
    identity.check_alike(members)
    first = members[0].predictions
    positions = [table["row"].to_numpy() for table in tables]
    columns = [c for c in first.columns if not c.startswith(runs.PREFIX)]
    table = first.iloc[positions[0]][columns].reset_index(drop=True)
    return Aligned(members, table, positions, shared, len(every))


def _check(members: Sequence[Run]) -> None:
    """Raise UsageError for runs that cannot be members of an ensemble, whatever their tracks."""
    if len(members) < 2:
        raise UsageError(
            f"An ensemble needs at least two runs; there is {'one' if members else 'none'}.",
            "Fit others: mgc fit --extractor mel --extractor mfcc --extractor chroma",
        )
    folders = [run.folder for run in members]
    for run in members:
        if run.kind != "single":
            raise UsageError(
                f"{run.name} is an ensemble itself.",
                f"Name the runs behind it: {' '.join(run.record.members)}",
            )
        if folders.count(run.folder) > 1:
            raise UsageError(f"{run.name} is named twice.", "Name each run once.")


def checked(run: Run) -> np.ndarray:
    """All of a run's probabilities (row, genre) float64; each row sums to exactly 1.

    Raises MgcError if a row does not hold probabilities.
    """
    probabilities = run.probabilities(run.predictions)
    sums = probabilities.sum(1)
    bad = ~np.isfinite(sums) | (np.abs(sums - 1) > TOLERANCE) | (probabilities < 0).any(1)
    if bad.any():
        first = run.predictions["track_id"].iloc[int(bad.argmax())]
        raise MgcError(
            f"Run {run.name!r} has {int(bad.sum()):,} rows that are not probabilities "
            f"(NaN, negative, or not summing to 1); the first is for track {first!r}.",
            f"Leave it out, or fit it again: mgc runs show {run.name}",
        )
    return np.asarray(probabilities / sums[:, None])


def _indexed(run: Run) -> pd.DataFrame:
    """A run's row numbers, by `KEYS`."""
    table = run.predictions[KEYS].copy()
    table["row"] = np.arange(len(table))
    table = table.set_index(KEYS)
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()][0][2]
        raise runs.damaged(run.folder, f"track {twice!r} is predicted twice in one fold")
    return table


def _tracks(index: pd.Index) -> set[str]:
    return set(index.get_level_values("track_id"))
