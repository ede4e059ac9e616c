"""Sets of genres that hold the true one with a stated coverage, for tracks by new artists.

A genre is in the set if its probability is not unusually low for it (Sadinle, Lei and Wasserman
2019): unless its p value, the share of the calibration rows whose true genre has no higher
probability, is at most 1 - coverage. A set that would be empty has the most likely genre. Nothing
is drawn, so a file always has the same set. docs/answers-coverage.md has what was compared.

- Each artist counts as one: its rows share one weight, and the new artist has the weight of one
  too (Lee, Barber and Willett 2023), so coverage is that of a track by an artist not seen before.
- A genre is calibrated by its own rows (Vovk 2012) if it has enough artists for any genre ever to
  be left out: 9 at 0.9, 19 at 0.95. Genres with fewer are calibrated together.
- On a single split, an estimator's calibration rows are answered by a fit on the training tracks
  alone; new tracks by one that has learnt from the calibration rows too (`mgc.training.fit`).
- With folds, each row is compared with what the model that held it out says of the new track (CV+;
  Romano, Sesia and Candès 2020, Barber et al. 2021). What is proved is 1 - 2 × (1 - coverage).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real

import numpy as np

from mgc.errors import MgcError, UsageError, counted
from mgc.runs import PREDICTIONS, Run, damaged
from mgc.runs.answering import unlearnt_part
from mgc.runs.held_out import held_out
from mgc.runs.paired_test import unit_of

ROUNDING = 1e-9  # of a p value; it may equal 1 - coverage exactly


def checked_coverage(coverage: float) -> float:
    """The coverage, if it is possible. Raises UsageError otherwise."""
    if not (isinstance(coverage, Real) and 0 < coverage < 1):
        raise UsageError(
            f"A coverage of {coverage!r} is not possible.",
            "Give a number between 0 and 1, such as 0.9.",
        )
    return float(coverage)


@dataclass(frozen=True)
class Calibration:
    """Rows that no model learnt from.

    Attributes:
        shares: (row, genre) their probabilities.
        genres: (row,) their true genres' numbers.
        groups: (row,) the numbers of their groups (artists).
        folds: (row,) the number, among a new track's answers, of the model that answered for it.
    """

    shares: np.ndarray
    genres: np.ndarray
    groups: np.ndarray
    folds: np.ndarray
    _known: dict[float, list[_Ranks]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def groups_of(self, genres: Sequence[int] | np.ndarray) -> int:
        """How many groups have tracks of these genres."""
        return len(np.unique(self.groups[np.isin(self.genres, genres)]))

    def joined(self, coverage: float) -> np.ndarray:
        """The numbers of the genres that have too few groups, and are calibrated together with as
        many of the next smallest as are needed."""
        needed = least_groups(coverage)
        counts = np.array([self.groups_of([genre]) for genre in range(self.shares.shape[1])])
        order = np.argsort(counts, kind="stable")
        size = int((counts < needed).sum())
        while 0 < size < len(order) and self.groups_of(order[:size]) < needed:
            size += 1
        return np.sort(order[:size])

    def inside(self, answers: np.ndarray, coverage: float) -> np.ndarray:
        """Which genres are in the sets of tracks: bool (track, genre).

        ``answers`` (track, fold, genre) are the probabilities by each fold's model.
        """
        p_values = [made(answers[:, :, genre]) for genre, made in enumerate(self._ranks(coverage))]
        found: np.ndarray = np.stack(p_values, 1) > 1 - coverage + ROUNDING
        empty = np.flatnonzero(~found.any(1))
        found[empty, answers[empty].mean(1).argmax(1)] = True
        return found

    def _ranks(self, coverage: float) -> list[_Ranks]:
        """For each genre, the rows that it is calibrated on."""
        if coverage not in self._known:
            joined = self.joined(coverage)
            shared = self._ranks_of(np.isin(self.genres, joined))
            self._known[coverage] = [
                shared if genre in joined else self._ranks_of(self.genres == genre)
                for genre in range(self.shares.shape[1])
            ]
        return self._known[coverage]

    def _ranks_of(self, rows: np.ndarray) -> _Ranks:
        _, owner, sizes = np.unique(self.groups[rows], return_inverse=True, return_counts=True)
        own, folds = self.shares[rows, self.genres[rows]], self.folds[rows]
        weights = 1 / sizes[owner] / (len(sizes) + 1)
        by_fold = {}
        for fold in np.unique(folds):
            here = np.flatnonzero(folds == fold)
            here = here[np.argsort(own[here])]
            by_fold[int(fold)] = own[here], np.append(0.0, weights[here].cumsum())
        return _Ranks(1 / (len(sizes) + 1), by_fold)


@dataclass(frozen=True)
class _Ranks:
    """The weight of a new artist, and for each fold the sorted probabilities of its rows' genres,
    with the weight of all rows before each of them."""

    own: float
    by_fold: Mapping[int, tuple[np.ndarray, np.ndarray]]

    def __call__(self, asked: np.ndarray) -> np.ndarray:
        """The p values (track,) of a genre of these probabilities (track, fold): the weight of the
        rows with none higher by the same fold's model, and of the new artist."""
        p_values = np.full(len(asked), self.own)
        for fold, (known, before) in self.by_fold.items():
            p_values += before[np.searchsorted(known, asked[:, fold], "right")]
        return p_values


def least_groups(coverage: float) -> int:
    """How many groups it takes for a genre ever to be left out: 9 at 0.9, 19 at 0.95."""
    return math.ceil(1 / (1 - coverage) - 1 - ROUNDING)


class GenreSets:
    """The sets of a run; its held-out rows are read when the first set is asked for."""

    def __init__(self, run: Run | None, name: str) -> None:
        self.run, self.name = run, name

    @cached_property
    def calibration(self) -> Calibration:
        """The rows. Raises MgcError if the run has none that it did not learn from."""
        if self.run is None or not (self.run.folder / PREDICTIONS).exists():
            raise MgcError(
                f"{self.name} has no held-out tracks, so the coverage of its sets is not known.",
                "Use a run that was fitted here, or leave out the coverage.",
            )
        part = unlearnt_part(self.run)
        if not part:
            raise MgcError(
                f"{self.name} has learnt from the validation tracks of its single split, which "
                "leaves none to calibrate sets on.",
                "Fit its members with --folds 5, or name a single run.",
            )
        rows = held_out(self.run, part)
        if not len(rows.genres) or not np.isfinite(rows.shares).all():
            raise damaged(self.run.folder, f"{PREDICTIONS} has no probabilities of the part {part}")
        if not 0 <= rows.folds.min() <= rows.folds.max() < max(1, self.run.record.dataset.folds):
            raise damaged(self.run.folder, f"{PREDICTIONS} has a fold that the run has not")
        return Calibration(rows.shares, rows.genres, rows.groups, rows.folds)

    def genres_at(self, by_fold: np.ndarray, coverage: float) -> list[str]:
        """The set of one track, most likely genre first; ``by_fold`` (fold, genre)."""
        inside = self.calibration.inside(by_fold[None], checked_coverage(coverage))[0]
        assert self.run is not None
        order = np.argsort(-by_fold.mean(0), kind="stable")
        return [self.run.genres[genre] for genre in order if inside[genre]]

    def about(self, coverage: float) -> str:
        """What the sets are calibrated on, and which genres have too few artists of their own."""
        rows = self.calibration
        assert self.run is not None
        unit = unit_of(self.run.record.dataset.group_by)
        groups = "" if unit == "tracks" else f" ({len(np.unique(rows.groups)):,} {unit})"
        tracks = counted(len(rows.genres), "track")
        said = f"calibrated on {tracks}{groups} of {self.name}, by genre"
        joined = [self.run.genres[genre] for genre in rows.joined(checked_coverage(coverage))]
        if not joined:
            return said
        needed = f"by itself a genre needs {least_groups(coverage)} {unit}"
        if len(joined) == len(self.run.genres):
            return f"{said.removesuffix(', by genre')}, all genres together ({needed})"
        return f"{said}; {', '.join(joined)} together ({needed})"
