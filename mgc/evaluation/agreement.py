"""How far systems agree, and what a perfect choice among them would achieve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

from mgc.errors import UsageError
from mgc.evaluation.systems import System, by_seed, share_tracks


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


def diverse(compared: Sequence[System]) -> Sequence[System]:
    """The single systems if there are several, else all: those whose agreement tells something."""
    singles = [system for system in compared if system.kind == "single"]
    return singles if len(singles) > 1 else compared


def agreement(compared: Sequence[System]) -> Agreement:
    """Compare answers track by track. Raises UsageError for fewer than two systems, or for runs
    without a common split and seed."""
    if len(compared) < 2:
        raise UsageError("Agreement needs at least two systems.", "Name more runs: mgc runs list")
    splits, tracks = share_tracks(compared)
    answers, right = [], []  # for each split and seed (system, track)
    for seed in by_seed(compared, splits):
        tables = [table.loc[tracks] for table in seed]
        answers.append(np.stack([table["answer"] for table in tables]))
        right.append(answers[-1] == tables[0]["genre"].to_numpy())
    if not answers:
        raise UsageError("These runs have no split in common.", "See: mgc runs list")
    pairs = [
        {
            "first": compared[one].name,
            "second": compared[other].name,
            "agreement": _mean(a[one] == a[other] for a in answers),
            "kappa": _mean(_kappa(a[one], a[other]) for a in answers),
            "both_wrong": _mean(~r[one] & ~r[other] for r in right),
            "either_right": _mean(r[one] | r[other] for r in right),
        }
        for one, other in combinations(range(len(compared)), 2)
    ]
    return Agreement(
        pairs=pairs,
        oracle=_mean(r.any(0) for r in right),
        all_right=_mean(r.all(0) for r in right),
        none_right=_mean(~r.any(0) for r in right),
        tracks=len(tracks),
    )


def _mean(values: Iterable[Any]) -> float:
    return float(np.mean([np.mean(value) for value in values]))


def _kappa(first: np.ndarray, second: np.ndarray) -> float:
    """Cohen's kappa; 1 if both always give the same single answer, for which it is undefined."""
    if len(np.unique(np.concatenate([first, second]))) < 2:
        return 1.0
    return float(cohen_kappa_score(first, second))
