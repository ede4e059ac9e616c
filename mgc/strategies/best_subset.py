"""The mean of those members that do best together on held-out tracks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np

from mgc.strategies.calibration import MIN_PROBABILITY
from mgc.strategies.learnt import Learnt

MAX_EXHAUSTIVE = 12  # members; 4,095 subsets. With more, members are dropped one by one


@dataclass(frozen=True)
class BestSubsetParams:
    """``smallest`` number of members in the subset."""

    smallest: int = 1


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
        mean: np.ndarray = members[self.chosen_ > 0].mean(0)
        return mean


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
