"""How well every subset of members does on held-out tracks; no fold uses the tracks it scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mgc.ensembling.alignment import align
from mgc.ensembling.combination import EnsembleRequest
from mgc.ensembling.ensemble_runs import check_members
from mgc.ensembling.learner import Learner
from mgc.runs import Run
from mgc.strategies.best_subset import subsets
from mgc.strategies.calibration import MIN_PROBABILITY, tempered


@dataclass(frozen=True)
class SubsetScore:
    """One subset of the members (their numbers), its mean probability scored on the held-out
    tracks of all folds: negative log-likelihood (nat) and accuracy. ``chosen``: by how many folds,
    each judging by its own held-out tracks alone."""

    members: tuple[int, ...]
    nll: float
    accuracy: float
    chosen: int


def search(request: EnsembleRequest, members: Sequence[Run]) -> list[SubsetScore]:
    """Score subsets of members on held-out tracks, the lowest negative log-likelihood first.

    ``request.spec`` is ignored: subsets are averaged. It tries the same subsets as the strategy
    ``best-subset``; if folds try different subsets, only those that all folds tried are listed.

    Raises UsageError as `mgc.ensembling.ensemble` does.
    """
    check_members(members)
    aligned = align(members, request.smallest_share)
    learner = Learner(request, aligned)
    found = defaultdict(list)  # for each subset and fold (loss and hit, track)
    best: list[tuple[int, ...]] = []
    for fold in aligned.folds:
        rows = learner.held_out(fold)
        genres = aligned.genres[rows]
        temperatures = learner.temperatures(rows)[:, None, None]
        given = tempered(aligned.probabilities[:, rows], temperatures)
        here = {}
        for subset in subsets(given[:, np.arange(len(rows)), genres], 1):
            mean = given[list(subset)].mean(0)
            loss = -np.log(np.maximum(mean[np.arange(len(rows)), genres], MIN_PROBABILITY))
            found[subset].append(np.stack([loss, mean.argmax(1) == genres]))
            here[subset] = loss.mean()
        best.append(min(here, key=lambda subset: (round(here[subset], 12), -len(subset))))
    tried = []
    for subset, folds in found.items():
        if len(folds) == len(aligned.folds):
            nll, accuracy = np.hstack(folds).mean(1)
            tried.append(SubsetScore(subset, float(nll), float(accuracy), best.count(subset)))
    return sorted(tried, key=lambda one: one.nll)
