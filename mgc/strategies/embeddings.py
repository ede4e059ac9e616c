"""One classifier over all members' embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from mgc.strategies.calibration import softmax
from mgc.strategies.learnt import Learnt
from mgc.strategies.regression import fit_softmax

MAX_DEVIATIONS = 4.0  # deviations; a number farther out is an outlier that would dominate its block


@dataclass(frozen=True)
class EmbeddingsParams:
    """``C`` is the inverse strength of the L2 penalty, for blocks of unit length."""

    C: float = 3.0


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
        scaled: np.ndarray = standard / self.block_
        return scaled
