import numpy as np
import pytest

from mgc.datasets.allocation import allocate

SHARES = (0.7, 0.1, 0.2)


@pytest.mark.parametrize("seed", range(10))
def test_groups_stay_whole_and_every_genre_is_everywhere(seed: int) -> None:
    """Groups that mix genres, of very unequal size; every genre has at least three groups."""
    random = np.random.default_rng(seed)
    group = np.concatenate([np.full(random.integers(1, 12), number) for number in range(60)])
    home = random.integers(0, 6, 60)
    stray = random.random(len(group)) < 0.1
    genres = np.where(stray, random.integers(0, 6, len(group)), home[group]).astype(str)
    part = allocate(genres, group, SHARES, seed)
    assert all(len(set(part[group == number])) == 1 for number in range(60))
    for genre in set(genres):
        assert set(part[genres == genre]) == {0, 1, 2}


def test_shares_are_met_where_groups_are_small() -> None:
    genres = np.repeat(np.array(list("abcd")), 250)
    part = allocate(genres, np.arange(1000) // 2, SHARES, 0)
    for genre in "abcd":
        assert np.bincount(part[genres == genre]) == pytest.approx([175, 25, 50], abs=3)


def test_a_genre_with_fewer_groups_than_parts_goes_as_far_as_it_can() -> None:
    genres = np.array(["a"] * 30 + ["rare"] * 2)
    part = allocate(genres, np.arange(32), SHARES, 0)
    assert len(set(part[genres == "rare"])) == 2
    assert set(part[genres == "a"]) == {0, 1, 2}


def test_one_group_is_one_part() -> None:
    assert set(allocate(np.array(["a", "b", "a"]), np.zeros(3, int), SHARES, 0)) == {0}
