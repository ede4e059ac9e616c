"""How much each member counts in a mean of probabilities, learnt from held-out tracks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
from scipy.optimize import minimize

from mgc.plugins.params import NonNegativeFloat, PositiveInt
from mgc.strategies.calibration import MIN_PROBABILITY, softmax
from mgc.strategies.learnt import Learnt

MAX_EXHAUSTIVE = 12  # members; 4,095 subsets. With more, members are dropped one by one


class WeightedMean(Learnt):
    """A mean with learnt weights (member,)."""

    LEARNT = ("weights",)
    weights_: np.ndarray

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        return np.asarray(np.einsum("m,mtg->tg", self.weights_, members))


@dataclass(frozen=True)
class WeightedParams:
    """``shrinkage`` is how strongly the weights are drawn to be equal: it counts as that many
    tracks of evidence for equal weights, so it matters with tens of tracks but not with
    hundreds."""

    shrinkage: NonNegativeFloat = 3.0


class Weighted(WeightedMean):
    """The weighted mean of probabilities that makes the held-out genres most likely.

    Weights are positive and sum to 1. The penalty is half of ``shrinkage`` times the squared
    logarithm of each weight's ratio to the equal weight.
    """

    Params = WeightedParams

    def fit(
        self, members: np.ndarray, genres: np.ndarray, groups: np.ndarray, n_genres: int
    ) -> Self:
        """Learn from probabilities (member, track, genre) and genre numbers (track,)."""
        count = len(members)
        chosen = members[:, np.arange(len(genres)), genres]

        def loss(scores: np.ndarray) -> float:
            weights = softmax(scores)
            likelihood = np.log(np.maximum(weights @ chosen, MIN_PROBABILITY)).sum()
            ratios = np.log(np.maximum(weights * count, MIN_PROBABILITY))
            return float(self.params.shrinkage / 2 * (ratios @ ratios) - likelihood)

        self.weights_ = softmax(minimize(loss, np.zeros(count), method="L-BFGS-B").x)
        return self


@dataclass(frozen=True)
class GreedyParams:
    """At most ``picks`` in each of ``bags`` draws of the held-out artists."""

    picks: PositiveInt = 20
    bags: PositiveInt = 20


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
        bags = []
        for _ in range(self.params.bags):
            drawn = np.bincount(generator.integers(count, size=count), minlength=count)
            bags.append(select(chosen, drawn[numbers], self.params.picks))
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
    return np.asarray(-np.log(np.maximum(chosen, MIN_PROBABILITY)) @ counts)


@dataclass(frozen=True)
class BestSubsetParams:
    """``smallest`` number of members in the subset."""

    smallest: PositiveInt = 1


class BestSubset(Learnt):
    """The mean probability of the subset with the lowest held-out negative log-likelihood.

    With up to 12 members all subsets are tried; with more, the member whose removal helps the most
    is dropped until ``smallest`` are left, and the best subset along the way is taken.
    """

    Params = BestSubsetParams
    LEARNT = ("chosen",)  # 1 for each chosen member, 0 for the others (member,)

    def fit(
        self, members: np.ndarray, genres: np.ndarray, groups: np.ndarray, n_genres: int
    ) -> Self:
        """Learn from probabilities (member, track, genre) and genre numbers (track,)."""
        chosen = members[:, np.arange(len(genres)), genres]
        tried = list(subsets(chosen, min(self.params.smallest, len(members))))
        best = min(tried, key=lambda subset: (round(loss(chosen, subset), 12), -len(subset)))
        self.chosen_ = np.isin(np.arange(len(members)), best).astype(np.float64)
        return self

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        return np.asarray(members[self.chosen_ > 0].mean(0))


def subsets(chosen: np.ndarray, smallest: int) -> Iterator[tuple[int, ...]]:
    """The subsets to try, as member numbers, given probabilities of the true genre
    (member, track)."""
    count = len(chosen)
    if count <= MAX_EXHAUSTIVE:
        for size in range(max(1, smallest), count + 1):
            yield from combinations(range(count), size)
        return
    left = tuple(range(count))
    yield left
    while len(left) > max(1, smallest):
        fewer = [tuple(m for m in left if m != out) for out in left]
        left = min(fewer, key=lambda subset: loss(chosen, subset))
        yield left


def loss(chosen: np.ndarray, subset: tuple[int, ...]) -> float:
    """The mean negative log-likelihood (nat) of a subset's mean probability."""
    if not chosen.shape[1]:
        return 0.0
    mean = chosen[list(subset)].mean(0)
    return float(-np.log(np.maximum(mean, MIN_PROBABILITY)).mean())
