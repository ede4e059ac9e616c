"""A weighted mean with weights learnt from held-out tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize

from mgc.strategies.calibration import MIN_PROBABILITY, softmax
from mgc.strategies.learnt import WeightedMean


@dataclass(frozen=True)
class WeightedParams:
    """``shrinkage`` is how strongly the weights are drawn to be equal: it counts as that many
    tracks of evidence for equal weights, so it matters with tens of tracks but not with
    hundreds."""

    shrinkage: float = 3.0


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
