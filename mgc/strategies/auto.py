"""The strategy ``auto``: a mixture; the best member alone if it is known and mixing is no help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize

from mgc.plugins.params import NonNegativeFloat
from mgc.strategies.calibration import MIN_PROBABILITY, logits, softmax
from mgc.strategies.learnt import Learnt

DRAWS = 500  # of the artists, with replacement
SURE = 0.95  # share of the draws' weight above which one member is known to be the best
PARTS = 5  # of the cross-fitting that holds the mixture against the best member


@dataclass(frozen=True)
class AutoParams:
    """``pull`` is how strongly the weights are drawn to those of the draws: half of it times the
    squared distance is added to the summed negative log-likelihood (nat)."""

    pull: NonNegativeFloat = 30.0


class Auto(Learnt):
    """A log-linear pool, its weights drawn to the best member, or that member alone.

    1. How likely is each member to be the best? Pseudo-BMA+ (Yao, Vehtari, Simpson and Gelman
       2018): the mean over draws of the artists, with replacement, of the softmax of the members'
       log-likelihoods. The weights of members that differ by chance alone lie between the two; a
       member that is clearly worse has none.
    2. Weights of at least 0 that make the held-out genres most likely, drawn to these.
    3. If one member is known to be the best and the pool does not beat its log-likelihood by one
       standard error (by artist, cross-fitted), the answer is that member alone: weight 1.
    """

    Params = AutoParams
    LEARNT = ("weights",)
    weights_: np.ndarray

    def fit(
        self, members: np.ndarray, genres: np.ndarray, groups: np.ndarray, n_genres: int
    ) -> Self:
        """Learn from probabilities (member, track, genre) and genre numbers (track,)."""
        chances = best_chances(losses(members, genres), groups, self.seed)
        self.weights_ = self._weights(members, genres, chances)
        if chances.max(initial=0) >= SURE and not self._helps(members, genres, groups):
            self.weights_ = np.eye(len(members))[chances.argmax()]
        return self

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        alone = np.flatnonzero(self.weights_ == 1)
        if len(alone) and self.weights_.sum() == 1:
            return np.asarray(members[alone[0]])
        return pooled(logits(members), self.weights_)

    def _weights(self, members: np.ndarray, genres: np.ndarray, drawn_to: np.ndarray) -> np.ndarray:
        """The pool's weights (member,), drawn to those given."""
        scores = logits(members)
        rows = np.arange(len(genres))

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            answer, moved = pooled(scores, weights), weights - drawn_to
            value = losses(answer, genres).sum() + self.params.pull / 2 * (moved @ moved)
            answer[rows, genres] -= 1
            slopes = np.einsum("mtg,tg->m", scores, answer) + self.params.pull * moved
            return float(value), slopes

        bounds = [(0, None)] * len(members)
        found = minimize(loss, drawn_to, jac=True, method="L-BFGS-B", bounds=bounds)
        return np.asarray(found.x)

    def _helps(self, members: np.ndarray, genres: np.ndarray, groups: np.ndarray) -> bool:
        """Whether the pool beats the best member by one standard error, cross-fitted by group.

        The member has a weight of its own here: to make it more or less confident is no help.
        """
        from sklearn.model_selection import GroupKFold

        parts = min(PARTS, len(np.unique(groups)))
        if parts < 2:
            return False
        gains = np.empty(len(genres))
        for others, part in GroupKFold(parts).split(groups, groups=groups):
            learning, known, tested = members[:, others], genres[others], logits(members[:, part])
            chances = best_chances(losses(learning, known), groups[others], self.seed)
            best = [chances.argmax()]
            alone = pooled(tested[best], self._weights(learning[best], known, np.ones(1)))
            pool = pooled(tested, self._weights(learning, known, chances))
            gains[part] = losses(alone, genres[part]) - losses(pool, genres[part])
        totals = per_group(gains - gains.mean(), groups)
        error = np.sqrt(len(totals) / (len(totals) - 1) * (totals**2).sum()) / len(gains)
        return bool(gains.mean() > error)


def pooled(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The log-linear pool (track, genre) of log-probabilities (member, track, genre)."""
    return softmax(np.einsum("m,mtg->tg", weights, scores))


def losses(probabilities: np.ndarray, genres: np.ndarray) -> np.ndarray:
    """The negative log-likelihood (nat) of each track's genre: (…, track)."""
    chosen = probabilities[..., np.arange(len(genres)), genres]
    return np.asarray(-np.log(np.maximum(chosen, MIN_PROBABILITY)))


def best_chances(losses: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Pseudo-BMA+ weights (member,) from losses (member, track): how likely each is the best."""
    totals = np.stack([per_group(member, groups) for member in losses])
    count = totals.shape[1]
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(count, np.full(count, 1 / max(count, 1)), size=DRAWS)
    return np.asarray(softmax(-drawn @ totals.T).mean(0))


def per_group(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The sums (group,) of the values (track,) of each group."""
    return np.bincount(np.unique(groups, return_inverse=True)[1], values)
