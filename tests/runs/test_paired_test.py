"""The test behind "better": exact where it can be counted, and true to its level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks import false_better
from mgc.evaluation import compare_text, intervals
from mgc.runs import paired_test
from mgc.runs.paired_test import LEVEL, MIN_GROUPS


def drawn(groups: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 9, groups)
    return generator.normal(0.2, 0.4, (groups, 3)) * sizes[:, None], sizes.astype(float)


@pytest.mark.parametrize("groups", [6, 9, 40])
def test_p_is_that_of_scipys_permutation_test(groups: int) -> None:
    totals, sizes = drawn(groups)
    for column, p in zip(totals.T, paired_test.paired_test(totals, sizes).p, strict=True):
        peer = stats.permutation_test(
            (column,), np.sum, permutation_type="samples", n_resamples=9_999,
            rng=np.random.default_rng(1),
        )  # fmt: skip
        assert p == pytest.approx(peer.pvalue, abs=1e-9 if groups < 13 else 0.015)


@pytest.mark.parametrize("groups", [6, 12, 40])
def test_the_interval_holds_what_the_test_does_not_reject(groups: int) -> None:
    totals, sizes = drawn(groups, 1)
    found = paired_test.paired_test(totals, sizes)
    for end, outwards in ((found.low, -1e-6), (found.high, 1e-6)):
        for step, rejected in ((outwards, True), (-outwards, False)):
            moved = totals - (end + step) * sizes[:, None]
            assert ((paired_test.paired_test(moved, sizes).p <= LEVEL) == rejected).all()


@pytest.mark.parametrize("groups", range(1, MIN_GROUPS + 1))
def test_under_six_groups_nothing_can_be_shown(groups: int) -> None:
    found = paired_test.paired_test(np.ones((groups, 1)), np.ones(groups))
    assert found.p[0] == 2 / 2**groups
    assert (found.p[0] < LEVEL) == (groups >= MIN_GROUPS) == (found.low[0] > -1)
    assert bool(paired_test.too_few(groups, "artists")) == (groups < MIN_GROUPS)


def test_it_is_the_level_of_words_and_intervals() -> None:
    assert LEVEL == compare_text.SURE == intervals.LEVEL


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("groups", [5, 6, 8, 12, 30, 100])
def test_equal_systems_are_rarely_called_better(groups: int, uneven: bool) -> None:
    """At most 5 % of 800 trials, and three standard errors."""
    bootstrap, ours = false_better.rates(groups, 0.0, 40, uneven=uneven)
    assert ours <= LEVEL + 3 * (LEVEL * (1 - LEVEL) / 800) ** 0.5
    if groups <= 8:
        assert bootstrap > 1.5 * LEVEL  # why it is no longer used


def test_differences_are_found_with_enough_groups() -> None:
    power = [false_better.rates(groups, 0.1, 20)[1] for groups in (8, 30, 100)]
    assert power[0] < power[1] < power[2]
    assert power[2] > 0.8
    assert false_better.rates(100, 0.05, 20)[1] < power[2]


def p_of(differences: np.ndarray, groups: np.ndarray) -> float:
    totals = np.bincount(groups, weights=differences)
    return float(paired_test.paired_test(totals[:, None], np.bincount(groups)).p[0])


def test_alone_in_their_groups_it_is_the_sign_test() -> None:
    differences = np.r_[np.ones(30), -np.ones(12), np.zeros(158)]
    exact = stats.binomtest(12, 42, 0.5).pvalue  # 0.0079
    found = p_of(differences, np.arange(200))
    assert found == pytest.approx(exact, abs=0.003)
    assert p_of(-differences, np.arange(200)) == found


def test_whole_groups_count_once() -> None:
    differences = np.r_[np.ones(30), -np.ones(12), np.zeros(158)]
    assert p_of(differences, np.arange(200)) < 0.05 < p_of(differences, np.arange(200) // 10)


def test_groups_without_a_difference_change_nothing() -> None:
    differences = np.r_[np.ones(9), -np.ones(3)]
    many = p_of(np.r_[differences, np.zeros(2_000)], np.arange(2_012))
    assert p_of(differences, np.arange(12)) == pytest.approx(many, abs=0.02)
    assert p_of(np.zeros(10), np.arange(10)) == 1.0


def test_many_groups_are_gathered_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    few = np.array([2, 0, 1, 1])
    assert paired_test.gathered(few) is few
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 3_000, 9_000)
    differences = rng.normal(0.025, 1, 3_000)[groups]
    p, count = paired_test.paired_p(differences, groups)
    monkeypatch.setattr(paired_test, "MAX_GROUPS", 500)
    unit = paired_test.gathered(np.unique(groups, return_inverse=True)[1])
    assert len(np.unique(unit)) == 500
    assert len(set(zip(groups.tolist(), unit.tolist(), strict=True))) == count
    again, told = paired_test.paired_p(differences, groups)
    assert (told, again) == (count, pytest.approx(p, abs=0.05))
    assert 0.001 < p < 0.6
