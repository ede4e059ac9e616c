"""How far systems agree, and what a perfect choice among them would achieve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

from mgc.errors import UsageError
from mgc.evaluation.systems import System, share_tracks


@dataclass(frozen=True)
class Agreement:
    """Diversity of systems on the tracks that all of them scored; means over seeds.

    Attributes:
        pairs: for each pair of systems their names, ``agreement`` (share of tracks with the same
            answer), ``kappa`` (Cohen's: agreement beyond chance), ``both_wrong`` (share of tracks)
            and ``either_right`` (the accuracy of a perfect choice between the two).
        oracle: the accuracy of a perfect choice among all: an upper bound for any choice.
        all_right, none_right: shares of tracks.
        tracks: how many.
    """

    pairs: Sequence[dict[str, Any]]
    oracle: float
    all_right: float
    none_right: float
    tracks: int


def agreement(compared: Sequence[System]) -> Agreement:
    """Compare answers track by track. Raises UsageError for fewer than two systems, or for runs
    without a common split and seed."""
    if len(compared) < 2:
        raise UsageError("Agreement needs at least two systems.", "Name more runs: mgc runs list")
    splits, tracks = share_tracks(compared)
    answers, truths = [], []
    for split in splits:
        tables = [_tables(system, split) for system in compared]
        for seeds in zip(*tables, strict=False):
            answers.append(np.stack([table["answer"].loc[tracks] for table in seeds]))
            truths.append(seeds[0]["genre"].loc[tracks].to_numpy())
    if not answers:
        raise UsageError("These runs have no split in common.", "See: mgc runs list")
    right = [given == truth for given, truth in zip(answers, truths, strict=True)]
    pairs = [
        _pair(compared, first, second, answers, right)
        for first, second in combinations(range(len(compared)), 2)
    ]
    return Agreement(
        pairs=pairs,
        oracle=_mean(r.any(0) for r in right),
        all_right=_mean(r.all(0) for r in right),
        none_right=_mean(~r.any(0) for r in right),
        tracks=len(tracks),
    )


def _tables(system: System, split: str) -> list[Any]:
    return [t for s, t in zip(system.splits, system.tables, strict=True) if s == split]


def _mean(values: Any) -> float:
    return float(np.mean([np.mean(value) for value in values]))


def _pair(
    compared: Sequence[System],
    first: int,
    second: int,
    answers: Sequence[np.ndarray],
    right: Sequence[np.ndarray],
) -> dict[str, Any]:
    return {
        "first": compared[first].name,
        "second": compared[second].name,
        "agreement": _mean(a[first] == a[second] for a in answers),
        "kappa": float(np.mean([_kappa(a[first], a[second]) for a in answers])),
        "both_wrong": _mean(~r[first] & ~r[second] for r in right),
        "either_right": _mean(r[first] | r[second] for r in right),
    }


def _kappa(first: np.ndarray, second: np.ndarray) -> float:
    """Cohen's kappa; 1 if both always give the same single answer, for which it is undefined."""
    if len(np.unique(np.concatenate([first, second]))) < 2:
        return 1.0
    return float(cohen_kappa_score(first, second))
