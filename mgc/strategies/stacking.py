"""A logistic meta-model over the members' probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from mgc.strategies.calibration import NO_VETO, logits, softmax
from mgc.strategies.learnt import Learnt
from mgc.strategies.regression import fit_softmax


@dataclass(frozen=True)
class StackingParams:
    """``penalty`` on the squared distance from the geometric mean: each weight is expected
    within ``1 / sqrt(penalty)`` of it."""

    penalty: float = 30.0


class Stacking(Learnt):
    """Stacked generalisation (Wolpert 1992) on tracks that the members have not learnt from.

    Multinomial logistic regression on all members' log-probabilities, so that it can learn which
    member to trust on which genre, and which genres a member confuses. It starts from, and is drawn
    towards, the geometric mean (a weight of 1 / members from each genre to itself): with few tracks
    it stays near that, with many it follows the data.
    """

    Params = StackingParams
    LEARNT = ("weights", "biases")  # (member × genre, genre) and (genre,)

    def fit(
        self, members: np.ndarray, genres: np.ndarray, groups: np.ndarray, n_genres: int
    ) -> Self:
        """Learn from probabilities (member, track, genre) and genre numbers (track,)."""
        equal = np.tile(np.eye(n_genres) / len(members), (len(members), 1))
        self.weights_, self.biases_ = fit_softmax(
            features(members), genres, n_genres, self.params.penalty, equal
        )
        return self

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        return softmax(features(members) @ self.weights_ + self.biases_)


def features(members: np.ndarray) -> np.ndarray:
    """(member, track, genre) → log-probabilities around their mean (track, member × genre)."""
    scores = logits(members, NO_VETO)
    scores = scores - scores.mean(2, keepdims=True)
    return np.asarray(scores.transpose(1, 0, 2).reshape(members.shape[1], -1))
