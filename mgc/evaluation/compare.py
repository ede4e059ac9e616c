"""Systems side by side: figures with intervals, ranks, and paired tests against a reference.

- Folds of a run are pooled: every track is scored once. Each seed is a separate run: a figure is
  the mean over them, with their standard deviation; it says nothing about other tracks.
- The interval of an accuracy is about other tracks (by other artists), not other seeds; see
  `mgc.evaluation.intervals.accuracy_interval`.
- Tests are paired by track; `mgc.runs.paired_test` flips whole artists, with all their tracks and
  seeds. McNemar's test treats tracks as independent and is given alongside, as is usual.
  With fewer groups than `MIN_GROUPS` nothing is tested: the p values are None.
- The reference is the best single system unless one is named. It was chosen by the very figures
  that are then tested, which favours *it*: whatever still beats it does so despite that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mgc.errors import unknown
from mgc.evaluation import intervals
from mgc.evaluation.systems import System, by_seed, group_numbers, share_tracks
from mgc.runs.calibration_error import NAMES, Answered, corrected_error
from mgc.runs.paired_test import gathered, paired_test, too_few, unit_of

FIGURES = ("precision", "recall", "f1", "accuracy", "nll", "ece")


@dataclass(frozen=True)
class Comparison:
    """What was compared, and how.

    Attributes:
        rows: one mapping per system, JSON-ready, the best accuracy first.
        reference: the name of the system that the others are tested against, if any.
        tracks: how many tracks all systems scored; the tests are based on these.
        groups: how many groups (artists) these belong to; 0 if groups are not known.
        unit: what was tested whole: ``artists``, ``albums``, ``groups`` or ``tracks``.
        too_few: why nothing was tested (`mgc.runs.paired_test.too_few`); "" if it was.
        resamples: the number of bootstrap resamples behind ``best_share``.
        unpaired: the runs that the tests leave out because not every system has a run on their
            split.
    """

    rows: Sequence[dict[str, Any]]
    reference: str | None
    tracks: int
    groups: int
    unit: str
    too_few: str
    resamples: int
    unpaired: Sequence[str] = ()


def compare(
    compared: Sequence[System], reference: str | None = None, resamples: int = intervals.RESAMPLES
) -> Comparison:
    """Figures, ranks and tests of systems. Systems that share no split are not tested against each
    other.

    Raises UsageError if ``reference`` is not among them.
    """
    rows = [_figures(system) for system in compared]
    splits, tracks = share_tracks(compared)
    chosen = _reference(compared, rows, reference) if len(tracks) else None
    numbers = group_numbers(compared, tracks)
    groups = pd.Series(gathered(numbers), tracks)
    known = any(table["group"].nunique() < len(table) for table in compared[0].tables)
    unit = unit_of(compared[0].runs[0].record.dataset.group_by if known else "none")
    n_groups, lacking = len(np.unique(numbers)), ""
    if len(tracks):
        tested = _Tested(compared, splits, groups, resamples)
        tested.add_shares(rows)
        if chosen is not None:
            lacking = too_few(n_groups, unit)
            _test(rows, tested, chosen, enough=not lacking)
    rows = sorted(rows, key=lambda row: -row["accuracy"])
    for row in rows:
        row["rank"] = 1 + sum(other["accuracy"] > row["accuracy"] + 1e-12 for other in rows)
    name = None if chosen is None else compared[chosen].name
    about = (n_groups if known else 0, unit, lacking, resamples)
    return Comparison(rows, name, len(tracks), *about, _unpaired(compared, splits))


def _unpaired(compared: Sequence[System], splits: Sequence[str]) -> list[str]:
    pairs = [pair for c in compared for pair in zip(c.runs, c.splits, strict=True)]
    return [run.name for run, split in pairs if split not in splits]


def _figures(system: System) -> dict[str, Any]:
    """The figures of one system over its own tracks."""
    groups = group_numbers([system], system.right.index)
    low, high = intervals.accuracy_interval(system.right.to_numpy(), groups)
    means = {name: float(np.mean(system.figures(name))) for name in FIGURES}
    each = system.figures("accuracy")
    several = len(each) > 1
    return {
        "name": system.name,
        "kind": system.kind,
        **means,
        "accuracy_low": low,
        "accuracy_high": high,
        **_calibration(system, groups),
        "tracks": len(system.right),
        "seeds": len(system.runs),
        "seed_sd": float(np.std(each, ddof=1)) if several else None,
        "seed_interval": intervals.seed_interval(each) if several else None,
        "runs": [run.name for run in system.runs],
    }


def _calibration(system: System, groups: np.ndarray) -> dict[str, float]:
    """The corrected calibration error and its interval; ``groups`` are those of all its tracks."""
    numbers = pd.Series(groups, system.right.index)
    runs = [
        Answered(*(part.to_numpy() for part in (t["confidence"], t["right"], numbers[t.index])))
        for t in system.tables
    ]
    return dict(zip(NAMES, corrected_error(runs), strict=True))


def _reference(
    compared: Sequence[System], rows: Sequence[dict[str, Any]], name: str | None
) -> int | None:
    names = [system.name for system in compared]
    if name is not None:
        by_run = {run.name: i for i, system in enumerate(compared) for run in system.runs}
        found = names.index(name) if name in names else by_run.get(name)
        if found is None:
            raise unknown("compared system", name, names, "mgc compare")
        return found
    if len(compared) < 2:
        return None
    singles = [i for i, system in enumerate(compared) if system.kind == "single"]
    return max(singles or range(len(compared)), key=lambda i: rows[i]["accuracy"])


class _Tested:
    """Accuracy and macro F1 of every system on the shared tracks: each group's part, and on every
    bootstrap resample of the groups."""

    def __init__(
        self, compared: Sequence[System], splits: Sequence[str], groups: pd.Series, count: int
    ) -> None:
        self.compared, self.splits, self.groups = compared, splits, groups
        self.n_groups = int(groups.max()) + 1
        confusions = [list(self._confusions(system)) for system in compared]
        # (group, figure, system)
        self.parts = np.stack(
            [np.mean([*map(intervals.group_parts, c)], 0) for c in confusions], axis=-1
        )
        draws = intervals.resamples(self.n_groups, count=count)
        self.drawn = np.concatenate([self._statistics(confusions, d) for d in draws], axis=2)

    def _confusions(self, system: System) -> Iterator[np.ndarray]:
        """For each run in the shared splits: (group, genre, genre), in tracks."""
        n_genres = len(system.runs[0].genres)
        for split, table in zip(system.splits, system.tables, strict=True):
            if split in self.splits:
                rows = table.loc[self.groups.index]
                counts = np.zeros((self.n_groups, n_genres, n_genres))
                np.add.at(counts, (self.groups, rows["genre"], rows["answer"]), 1)
                yield counts

    def _statistics(self, confusions: Sequence[list[np.ndarray]], drawn: np.ndarray) -> np.ndarray:
        """(accuracy and macro F1, system, resample); means over runs."""
        made = []
        for runs in confusions:
            counts = [np.tensordot(drawn, run, 1) for run in runs]
            hits = [c.trace(axis1=1, axis2=2) / c.sum((1, 2)) for c in counts]
            made.append((np.mean(hits, 0), np.mean([intervals.macro_f1(c) for c in counts], 0)))
        return np.array(made).swapaxes(0, 1)

    def add_shares(self, rows: Sequence[dict[str, Any]]) -> None:
        """The share of the resamples in which each system is the most accurate, and its F1
        interval."""
        accuracy = self.drawn[0]
        best = accuracy >= accuracy.max(0) - 1e-12
        shares = (best / best.sum(0)).mean(1)
        for number, row in enumerate(rows):
            row["best_share"] = float(shares[number])
            row["f1_low"], row["f1_high"] = intervals.percentile_interval(self.drawn[1, number])

    def mcnemar(self, first: System, second: System) -> float:
        """McNemar's test over pairs of runs on the same split, seed by seed."""
        values = []
        for tables in by_seed([first, second], self.splits):
            right = [table.loc[self.groups.index, "right"].to_numpy() > 0.5 for table in tables]
            values.append(intervals.mcnemar(*right))
        return intervals.pooled_p(values)


def _test(rows: Sequence[dict[str, Any]], tested: _Tested, reference: int, *, enough: bool) -> None:
    """Add the differences from the reference, their intervals and p values to the rows; without
    ``enough`` groups the latter are None."""
    others = [number for number in range(len(rows)) if number != reference]
    sizes = np.bincount(tested.groups).astype(float)
    parts = tested.parts[..., others] - tested.parts[..., [reference]]
    differences = parts.sum(0) / sizes.sum()
    accuracy, f1 = (paired_test(parts[:, figure], sizes) for figure in (0, 1))
    adjusted = intervals.holm(accuracy.p.tolist())
    rows[reference]["reference"] = True
    for place, number in enumerate(others):
        found = {
            "difference_low": accuracy.low[place],
            "difference_high": accuracy.high[place],
            "p": accuracy.p[place],
            "p_adjusted": adjusted[place],
            "f1_p": f1.p[place],
            "mcnemar_p": tested.mcnemar(tested.compared[number], tested.compared[reference]),
        }
        rows[number]["reference"] = False
        rows[number]["difference"], rows[number]["f1_difference"] = differences[:, place].tolist()
        rows[number].update(
            {name: float(value) if enough else None for name, value in found.items()}
        )


def by_genre(compared: Sequence[System]) -> pd.DataFrame:
    """F1 of each genre (row) for each system (column), means over seeds, in [0, 1]; the column
    ``tracks`` counts the genre's tracks."""
    columns: dict[str, Any] = {}
    for system in compared:
        per_run = [run.scores["test"]["by_genre"] for run in system.runs]
        genres = list(per_run[0])
        columns[system.name] = [float(np.mean([r[g]["f1"] for r in per_run])) for g in genres]
        columns.setdefault("tracks", [per_run[0][g]["tracks"] for g in genres])
    return pd.DataFrame(columns, index=compared[0].runs[0].genres)
