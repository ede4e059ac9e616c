"""The powers are the best there are, and mgc's contract is kept."""

from __future__ import annotations

import numpy as np
import pytest
from mgc_log_pool.pool import LogPool, LogPoolParams, logarithms, solve
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from mgc import MgcError
from mgc.checks import parametrize


def members(sharpness: list[float], tracks: int = 300, seed: int = 0) -> tuple:
    """Members that are right more often, the larger their number; with the true genres."""
    random = np.random.default_rng(seed)
    genres = random.integers(0, 5, tracks)
    truth = np.eye(5)[genres]
    scores = [s * truth + random.standard_normal(truth.shape) for s in sharpness]
    return softmax(np.array(scores), axis=2), genres


def test_the_powers_are_the_minimum_that_another_optimiser_finds() -> None:
    probabilities, genres = members([2.0, 1.0, 0.0])
    logs = logarithms(probabilities)

    def loss(powers: np.ndarray) -> float:
        scores = np.tensordot(powers, logs, 1)
        likelihood = scores[np.arange(len(genres)), genres] - logsumexp(scores, axis=1)
        return -likelihood.sum() + ((powers - 1 / 3) ** 2).sum() / (2 * 0.5**2)

    other = minimize(loss, np.full(3, 1 / 3), bounds=[(0, None)] * 3, tol=1e-12)
    np.testing.assert_allclose(solve(logs, genres, 0.5), other.x, atol=1e-4)


def test_a_member_that_knows_nothing_gets_next_to_no_power() -> None:
    probabilities, genres = members([2.0, 0.0], tracks=2000)
    powers = LogPool(LogPoolParams(deviation=10), 0).fit(probabilities, genres, genres, 5).powers_
    assert powers[0] > 0.8
    assert powers[1] < 0.1


def test_an_overconfident_member_is_tempered() -> None:
    probabilities, genres = members([1.0], tracks=2000)
    sure = softmax(4 * logarithms(probabilities), axis=2)
    pool = LogPool(LogPoolParams(deviation=10), 0).fit(sure, genres, genres, 5)
    assert pool.powers_[0] == pytest.approx(0.25, abs=0.05)


def test_of_many_tracks_a_seeded_choice_is_learnt_from() -> None:
    probabilities, genres = members([2.0, 1.0], tracks=500)
    few = LogPoolParams(tracks=50)
    one, same, other = (
        LogPool(few, seed).fit(probabilities, genres, genres, 5).powers_ for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_nan_in_a_member_is_refused() -> None:
    probabilities, genres = members([2.0, 1.0])
    probabilities[0, 3] = np.nan
    with pytest.raises(MgcError, match="not finite"):
        LogPool(LogPoolParams(), 0).fit(probabilities, genres, genres, 5)


@parametrize("log-pool")
def test_conformance(check) -> None:
    check()
