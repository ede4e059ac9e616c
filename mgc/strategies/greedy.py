"""Ensemble selection: members are picked one after another, repeatedly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from mgc.strategies.calibration import MIN_PROBABILITY
from mgc.strategies.learnt import WeightedMean


@dataclass(frozen=True)
class GreedyParams:
    """At most ``picks`` in each of ``bags`` draws of the held-out artists."""

    picks: int = 20
    bags: int = 20


class Greedy(WeightedMean):
    """Caruana, Niculescu-Mizil, Crew and Ksikes 2004: selection with replacement.

    Every member starts with one pick, then whichever lowers the negative log-likelihood of the
    mean the most is picked once more, and the best prefix of the picks is kept. With few tracks
    that over-fits, so, as the paper advises, it is bagged: repeated on draws with replacement (of
    whole groups), with the weights of all bags averaged.
    """

    Params = GreedyParams

    def fit(
        self, members: np.ndarray, genres: np.ndarray, groups: np.ndarray, n_genres: int
    ) -> Self:
        """Learn from probabilities (member, track, genre) and genre numbers (track,)."""
        chosen = members[:, np.arange(len(genres)), genres]
        _, numbers = np.unique(groups, return_inverse=True)
        count = int(numbers.max(initial=-1)) + 1
        generator = np.random.default_rng(self.seed)
        bags = [
            select(
                chosen,
                np.bincount(generator.integers(count, size=count), minlength=count)[numbers],
                self.params.picks,
            )
            for _ in range(self.params.bags)
        ]
        self.weights_ = np.mean(bags, axis=0)
        return self


def select(chosen: np.ndarray, counts: np.ndarray, picks: int) -> np.ndarray:
    """The weights (member,) of one greedy selection.

    Args:
        chosen: each member's probability of the true genre (member, track).
        counts: how often each track counts (track,).
        picks: how many members are picked, beyond each one's first pick.
    """
    taken = np.ones(len(chosen))
    best, best_loss = taken.copy(), _losses(chosen.sum(0)[None] / taken.sum(), counts)[0]
    for _ in range(picks):
        losses = _losses((taken @ chosen + chosen) / (taken.sum() + 1), counts)
        taken[losses.argmin()] += 1
        if losses.min() < best_loss:
            best, best_loss = taken.copy(), losses.min()
    return np.asarray(best / best.sum())


def _losses(chosen: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The negative log-likelihood of each row of probabilities of the true genre."""
    losses: np.ndarray = -np.log(np.maximum(chosen, MIN_PROBABILITY)) @ counts
    return losses
