"""Multinomial logistic regression drawn towards given weights, and the strategies built on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize

from mgc.plugins.params import NonNegativeFloat, PositiveFloat
from mgc.strategies.calibration import NO_VETO, logits, softmax
from mgc.strategies.learnt import Learnt

MAX_DEVIATIONS = 4.0  # deviations; a number farther out is an outlier that would dominate its block
MAX_STEPS = 500  # of L-BFGS; the loss is convex, so it finishes well before


def fit_softmax(
    features: np.ndarray,
    genres: np.ndarray,
    n_genres: int,
    penalty: float,
    towards: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (feature, genre) and biases (genre,) of ``softmax(features @ weights + biases)``.

    Minimises the summed negative log-likelihood plus half ``penalty`` times the squared distance
    of the weights from ``towards`` (feature, genre; 0 by default) and of the biases from 0. Since
    biases are drawn to 0 too, a genre without tracks here becomes unlikely, not impossible.

    Args:
        features: (track, feature) float.
        genres: genre numbers (track,).
    """
    prior = np.zeros((features.shape[1], n_genres)) if towards is None else towards
    rows = np.arange(len(genres))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        moved = flat.reshape(-1, n_genres)
        probabilities = softmax(features @ (prior + moved[:-1]) + moved[-1])
        chosen = np.maximum(probabilities[rows, genres], np.finfo(float).tiny)
        value = -np.log(chosen).sum() + penalty / 2 * (flat @ flat)
        probabilities[rows, genres] -= 1
        slopes = np.vstack([features.T @ probabilities, probabilities.sum(0)])
        return float(value), (slopes + penalty * moved).ravel()

    start = np.zeros((features.shape[1] + 1) * n_genres)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MAX_STEPS, "maxfun": 2_000}
    )
    moved = found.x.reshape(-1, n_genres)
    return prior + moved[:-1], moved[-1]


@dataclass(frozen=True)
class StackingParams:
    """``penalty`` on the squared distance from the geometric mean: each weight is expected
    within ``1 / sqrt(penalty)`` of it."""

    penalty: NonNegativeFloat = 30.0


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


@dataclass(frozen=True)
class EmbeddingsParams:
    """``C`` is the inverse strength of the L2 penalty, for blocks of unit length."""

    C: PositiveFloat = 3.0


class Embeddings(Learnt):
    """Logistic regression on the members' embeddings, side by side.

    Every dimension is standardised on the tracks used for learning, and every block is divided
    by the square root of its width: a member with 6,000 numbers weighs no more than one with 64.
        This, and aligning rows by track, is what plain concatenation lacks.

    It learns from the training tracks too (a validation part alone is too small for so many
    numbers). If a head learnt its embedding, these tracks lie farther apart in it than new ones
    will, so the penalty is strong: every block contributes its broad directions, none its finest.
        Answers are more confident than they should be: ``--calibrate`` corrects that with tracks
        that nothing has learnt from.
    """

    Params = EmbeddingsParams
    #: Mean, scale and block width of each dimension; weights (dimension, genre), biases (genre,).
    LEARNT = ("mean", "scale", "block", "weights", "biases")

    def fit(
        self, members: Sequence[np.ndarray], genres: np.ndarray, groups: np.ndarray, n_genres: int
    ) -> Self:
        """Learn from each member's (track, dimension) and genre numbers (track,)."""
        stacked = np.concatenate(members, axis=1).astype(np.float64)
        self.mean_ = stacked.mean(0)
        deviation = stacked.std(0)
        widths = np.concatenate([np.full(m.shape[1], m.shape[1]) for m in members])
        self.scale_ = np.where(deviation > 1e-9, deviation, 1.0)
        self.block_ = np.sqrt(widths)
        self.weights_, self.biases_ = fit_softmax(
            self._scaled(members), genres, n_genres, 1 / self.params.C
        )
        return self

    def combine(self, members: Sequence[np.ndarray]) -> np.ndarray:
        """Each member's (track, dimension) → probabilities (track, genre)."""
        return softmax(self._scaled(members) @ self.weights_ + self.biases_)

    def _scaled(self, members: Sequence[np.ndarray]) -> np.ndarray:
        stacked = np.concatenate(members, axis=1).astype(np.float64)
        standard = np.clip((stacked - self.mean_) / self.scale_, -MAX_DEVIATIONS, MAX_DEVIATIONS)
        return np.asarray(standard / self.block_)
