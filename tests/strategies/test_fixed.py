"""The strategies that learn nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mgc.plugins.params import NoParams
from mgc.strategies.fixed import Confidence, GeometricMean, MajorityVoting, MeanProbability

ALL = [Confidence, MajorityVoting, MeanProbability]


def members(count: int = 5, tracks: int = 200, genres: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(genres, 0.5), (count, tracks))


@pytest.mark.parametrize("cls", ALL)
def test_the_answer_is_probabilities(cls: Any) -> None:
    answer = cls(NoParams(), 0).combine(members())
    assert answer.shape == (200, 6)
    assert (answer >= 0).all()
    np.testing.assert_allclose(answer.sum(1), 1)


@pytest.mark.parametrize("cls", ALL)
def test_identical_members_are_their_own_ensemble(cls: Any) -> None:
    one = members(1)
    np.testing.assert_allclose(cls(NoParams(), 0).combine(one), one[0])
    np.testing.assert_allclose(cls(NoParams(), 0).combine(np.repeat(one, 3, 0)), one[0])


@pytest.mark.parametrize("cls", ALL)
def test_the_order_of_members_tracks_and_genres_does_not_matter(cls: Any) -> None:
    given, generator = members(), np.random.default_rng(1)
    m, t, g = (generator.permutation(n) for n in given.shape)
    answer = cls(NoParams(), 0).combine(given)
    moved = cls(NoParams(), 0).combine(given[m][:, t][:, :, g])
    np.testing.assert_allclose(moved, answer[t][:, g])


def test_the_majority_wins_and_ties_go_to_the_higher_mean() -> None:
    strategy = MajorityVoting(NoParams(), 0)
    # Two modest votes for 0 against one sure vote for 1: the mean alone would say 1.
    outvoted = np.array([[[0.5, 0.4, 0.1]], [[0.5, 0.4, 0.1]], [[0.0, 1.0, 0.0]]])
    assert outvoted.mean(0).argmax(1)[0] == 1
    assert strategy.combine(outvoted).argmax(1)[0] == 0
    tied = np.array([[[0.6, 0.4, 0.0]], [[0.1, 0.9, 0.0]]])
    np.testing.assert_allclose(strategy.combine(tied), [[0.1, 0.9, 0.0]])
    # Third in every vote, though highest in the mean, cannot win.
    third = np.array([[[0.5, 0.0, 0.5 - 1e-9]], [[0.0, 0.5, 0.5 - 1e-9]]])
    assert strategy.combine(third).argmax(1)[0] in (0, 1)


def test_the_most_confident_member_decides_track_by_track() -> None:
    given = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.2, 0.8], [0.7, 0.3]]])
    np.testing.assert_allclose(Confidence(NoParams(), 0).combine(given), [[0.9, 0.1], [0.7, 0.3]])


def test_equally_confident_members_are_averaged() -> None:
    given = np.array([[[0.8, 0.2, 0.0]], [[0.8, 0.0, 0.2]], [[0.3, 0.3, 0.4]]])
    np.testing.assert_allclose(Confidence(NoParams(), 0).combine(given), [[0.8, 0.1, 0.1]])


def test_the_geometric_mean_is_the_mean_of_logits() -> None:
    given = 0.9 * members() + 0.1 / 6
    expected = np.prod(given, axis=0) ** (1 / len(given))
    answer = GeometricMean(NoParams(), 0).combine(given)
    np.testing.assert_allclose(answer, expected / expected.sum(1, keepdims=True))


def test_one_member_cannot_forbid_a_genre() -> None:
    given = np.array([[[0.98, 0.02]], [[0.98, 0.02]], [[0.0, 1.0]]])
    assert GeometricMean(NoParams(), 0).combine(given).argmax(1)[0] == 0


def test_the_mean_is_the_mean() -> None:
    given = members()
    np.testing.assert_allclose(MeanProbability(NoParams(), 0).combine(given), given.mean(0))
