"""The strategy ``auto``: never much worse than its best member, whatever the members are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from mgc.strategies.auto import Auto, AutoParams, best_chances, losses

GENRES = 4
MAX_ARTISTS = 60  # of many tracks, too: fewer artists are harder, and faster to resample
TESTED = 3_000  # tracks: one point is 30 of them, however few tracks were learnt from


def simulated(
    strengths: tuple[float, ...], tracks: int, seed: int, shared: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (member, track, genre), genres and artists (track,).

    A member's score for the true genre is its strength; its noise is made of the artist's, the
    track's and, to the part ``shared``, of one that all members have in common.
    """
    random = np.random.default_rng(seed)
    artists = random.integers(0, min(max(5, tracks // 3), MAX_ARTISTS), tracks)
    genres = random.integers(0, GENRES, tracks)

    def noise() -> np.ndarray:
        by_artist = random.normal(0, 1, (artists.max() + 1, GENRES))[artists]
        return np.asarray(0.6 * by_artist + 0.8 * random.normal(0, 1, (tracks, GENRES)))

    common, truth = noise(), np.eye(GENRES)[genres]
    members = [
        strength * truth + np.sqrt(shared) * common + np.sqrt(1 - shared) * noise()
        for strength in strengths
    ]
    return softmax(np.stack(members), axis=2), genres, artists


def fitted(members: np.ndarray, genres: np.ndarray, artists: np.ndarray) -> Auto:
    return Auto(AutoParams(), 0).fit(members, genres, artists, GENRES)


@pytest.mark.parametrize(
    ("tracks", "seeds"), [(50, 10), (200, 10), (1_000, 6), (5_000, 3)], ids=lambda n: f"{n}"
)
@pytest.mark.parametrize("shared", [0.0, 0.9])
@pytest.mark.parametrize(
    "strengths",
    [(1.5, 1.5, 1.5), (1.6, 1.4, 1.0), (2.5, 1.2, 1.0), (2.0, 0.0, 0.0, 0.0)],
    ids=["equal", "unequal", "one strong", "three guess"],
)
def test_no_harm(strengths: tuple[float, ...], shared: float, tracks: int, seeds: int) -> None:
    """At most 1 point below the best member in the mean and 3 with any tracks to learn from, on
    many others by other artists."""
    tested, truth, _ = simulated(strengths, TESTED, 1_000, shared)
    best = (tested.argmax(2) == truth).mean(1).max()
    behind = []
    for seed in range(seeds):
        answer = fitted(*simulated(strengths, tracks, seed, shared))
        behind.append(best - (answer.combine(tested).argmax(1) == truth).mean())
    assert np.mean(behind) <= 0.01
    assert max(behind) <= 0.03


def test_members_that_guess_are_left_out() -> None:
    members, genres, artists = simulated((2.0, 0.0, 0.0, 0.0), 400, 1)
    weights = fitted(members, genres, artists).weights_
    np.testing.assert_array_equal(weights, [1, 0, 0, 0])


def test_members_that_complement_each_other_are_mixed() -> None:
    members, genres, artists = simulated((1.5, 1.5, 1.5), 3_000, 0)
    answer = fitted(members[:, :1_000], genres[:1_000], artists[:1_000])
    right = answer.combine(members[:, 1_000:]).argmax(1) == genres[1_000:]
    alone = (members[:, 1_000:].argmax(2) == genres[1_000:]).mean(1)
    assert right.mean() > alone.max() + 0.05


def test_chances_are_those_of_the_bootstrap() -> None:
    """Against a loop over draws, and equal for members that are the same."""
    members, genres, artists = simulated((1.5, 1.3), 90, 2)
    found = best_chances(losses(members, genres), artists, seed=3)
    random = np.random.default_rng(9)
    names, weights = np.unique(artists), []
    for _ in range(2_000):
        drawn = random.choice(names, len(names))
        rows = np.concatenate([np.flatnonzero(artists == name) for name in drawn])
        weights.append(softmax(-losses(members[:, rows], genres[rows]).sum(1)))
    np.testing.assert_allclose(found, np.mean(weights, axis=0), atol=0.05)
    same = best_chances(losses(members[[0, 0]], genres), artists, seed=0)
    np.testing.assert_allclose(same, 0.5)
