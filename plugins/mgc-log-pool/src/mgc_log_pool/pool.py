"""The logarithmic opinion pool, with powers found by a convex program."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import Field, PositiveInt

from mgc import MgcError

MIN_PROBABILITY = 1e-7  # probabilities below this are treated alike


@dataclass(frozen=True)
class LogPoolParams:
    """``deviation`` of the normal prior that draws each power towards 1 / members: if large, the
    held-out tracks alone decide; ``tracks``: if there are more, it learns from a random choice of
    this many (the time grows with them)."""

    deviation: Annotated[float, Field(gt=0)] = 0.5
    tracks: PositiveInt = 2000


class LogPool:
    """Genres by ∏ p_m ^ w_m over members m, scaled to sum to 1; w ≥ 0 is learnt.

    Genest and Zidek 1986, "Combining probability distributions"; Heskes 1998, "Selecting
    weighting factors in logarithmic opinion pools".
    """

    Params = LogPoolParams

    def __init__(self, params: LogPoolParams, seed: int) -> None:
        self.params = params
        self.seed = seed

    def fit(
        self, members: np.ndarray, genres: np.ndarray, groups: np.ndarray, n_genres: int
    ) -> Self:
        """Learn the powers that make the true genres of held-out tracks most likely.

        Raises MgcError if the solver finds none.
        """
        if not np.isfinite(members).all():
            raise MgcError("A member's probabilities are not finite.", "Fit that member again.")
        rows = np.arange(len(genres))
        if len(rows) > self.params.tracks:
            chosen = np.random.default_rng(self.seed).choice(rows, self.params.tracks, False)
            rows = np.sort(chosen)
        self.powers_ = solve(logarithms(members[:, rows]), genres[rows], self.params.deviation)
        return self

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        scores = np.tensordot(self.powers_, logarithms(members), 1)
        powers = np.exp(scores - scores.max(1, keepdims=True))
        normal: np.ndarray = powers / powers.sum(1, keepdims=True)
        return normal

    def state(self) -> Mapping[str, np.ndarray]:
        """The power of each member."""
        return {"powers": self.powers_}

    def restore(self, state: Mapping[str, np.ndarray]) -> Self:
        """Restore the powers."""
        self.powers_ = np.asarray(state["powers"], np.float64)
        return self


def logarithms(members: np.ndarray) -> np.ndarray:
    """Log-probabilities, finite even for a probability of 0 (NaN stays NaN)."""
    return np.asarray(np.log(np.clip(members, MIN_PROBABILITY, None)))


def solve(logs: np.ndarray, genres: np.ndarray, deviation: float) -> np.ndarray:
    """The powers (member,) for log-probabilities (member, track, genre) and genres (track,).

    The negative log-likelihood is a sum of log-sum-exp of linear functions of the powers, minus a
    linear function: convex, like the prior.
    """
    import cvxpy as cp

    count, tracks, n_genres = logs.shape
    powers = cp.Variable(count, nonneg=True)
    scores = cp.reshape(logs.reshape(count, -1).T @ powers, (tracks, n_genres), order="C")
    truth = logs[:, np.arange(tracks), genres].sum(1)
    prior = cp.sum_squares(powers - 1 / count) / (2 * deviation**2)
    loss = cp.sum(cp.log_sum_exp(scores, axis=1)) - truth @ powers + prior
    problem = cp.Problem(cp.Minimize(loss / tracks))  # of order 1, which solvers prefer
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "may be inaccurate": in the fifth digit
            problem.solve(solver=cp.CLARABEL)
    except cp.SolverError as error:
        raise MgcError(f"The powers of log-pool could not be found: {error}.") from error
    if powers.value is None:
        raise MgcError(f"The powers of log-pool could not be found: {problem.status}.")
    found: np.ndarray = np.maximum(powers.value, 0.0)
    return found
