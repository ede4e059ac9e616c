"""Intervals and paired tests, against references and by what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix, f1_score

from mgc.evaluation import intervals
from mgc.runs.metrics import wilson


def test_tracks_on_their_own_have_wilsons_interval() -> None:
    right = np.array([1.0] * 63 + [0.0] * 37)
    assert intervals.accuracy_interval(right, np.arange(100)) == pytest.approx(wilson(63, 100))
    peer = stats.binomtest(63, 100).proportion_ci(method="wilson")
    assert intervals.accuracy_interval(right, np.arange(100)) == pytest.approx(
        (peer.low, peer.high)
    )


def test_groups_that_agree_count_as_one() -> None:
    """Fifty tracks by each of twenty artists who are all right or all wrong: twenty trials."""
    artist = np.repeat(np.arange(20), 50)
    right = np.repeat(np.array([1.0] * 12 + [0.0] * 8), 50)
    low, high = intervals.accuracy_interval(right, artist)
    few_low, few_high = wilson(12, 20)
    assert low == pytest.approx(few_low, abs=0.02)
    assert high == pytest.approx(few_high, abs=0.02)
    alone_low, alone_high = wilson(600, 1000)
    assert high - low > 5 * (alone_high - alone_low)


def test_groups_never_narrow_an_interval() -> None:
    """Artists who are each right on exactly half of their tracks vary less than chance."""
    right, artist = np.tile([1.0, 0.0], 30), np.repeat(np.arange(30), 2)
    low, high = intervals.accuracy_interval(right, artist)
    alone = wilson(30, 60)
    assert high - low >= alone[1] - alone[0]


def test_all_right_is_not_certain() -> None:
    low, high = intervals.accuracy_interval(np.ones(24), np.repeat(np.arange(8), 3))
    assert high == pytest.approx(1)
    assert low < 0.9


def test_the_interval_covers() -> None:
    """95 % intervals on tracks of artists, each with an accuracy of its own, hold the truth."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        skill = generator.beta(2, 1, 40)
        artist = np.repeat(np.arange(40), 6)
        right = (generator.random(240) < skill[artist]).astype(float)
        low, high = intervals.accuracy_interval(right, artist)
        held += low <= 2 / 3 <= high
    assert 0.92 <= held / 400 <= 0.99


def test_mcnemar_is_the_mid_p_of_the_sign_test() -> None:
    first = np.array([True] * 12 + [False] * 5 + [True] * 40)
    second = np.array([False] * 12 + [True] * 5 + [True] * 40)
    exact = stats.binomtest(5, 17).pvalue
    assert intervals.mcnemar(first, second) == pytest.approx(exact - stats.binom.pmf(5, 17, 0.5))
    assert intervals.mcnemar(first, second) == intervals.mcnemar(second, first)
    assert intervals.mcnemar(first, first) == 1.0
    # Fagerland, Lydersen and Laake 2013, table 1: 1 and 7 discordant pairs, mid-p 0.0391.
    b, c = np.array([True] + [False] * 7), np.array([False] + [True] * 7)
    assert intervals.mcnemar(b, c) == pytest.approx(0.0391, abs=1e-4)


def test_holm() -> None:
    assert intervals.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert intervals.holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])
    assert intervals.holm([]) == []


def test_p_values_that_depend_are_pooled() -> None:
    assert intervals.pooled_p([0.04]) == pytest.approx(0.04)
    assert intervals.pooled_p([0.01, 0.02, 0.9]) == pytest.approx(0.04)
    assert intervals.pooled_p([0.7, 0.8, 0.9]) == 1.0


def test_the_interval_over_seeds_is_the_t_interval() -> None:
    values = [0.6, 0.64, 0.65]
    expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    half = intervals.seed_interval(values)
    assert np.mean(values) + half == pytest.approx(expected[1])
    assert np.isnan(intervals.seed_interval([0.6]))


def test_resamples_draw_whole_groups() -> None:
    chunks = list(intervals.resamples(30, count=1_200))
    drawn = np.concatenate(chunks)
    assert drawn.shape == (1_200, 30)
    assert (drawn.sum(1) == 30).all()
    assert drawn.var() == pytest.approx(29 / 30, rel=0.05)
    np.testing.assert_array_equal(drawn[:5], next(intervals.resamples(30))[:5])


def test_macro_f1_is_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    confusions = []
    expected = []
    for _ in range(5):
        truth, answer = generator.integers(0, 4, 50), generator.integers(0, 5, 50)
        confusions.append(confusion_matrix(truth, answer, labels=range(5)))
        there = np.unique(truth)
        expected.append(f1_score(truth, answer, labels=there, average="macro"))
    np.testing.assert_allclose(intervals.macro_f1(np.array(confusions)), expected)


def test_parts_of_groups_add_up_to_the_figures_and_predict_what_a_group_changes() -> None:
    generator = np.random.default_rng(0)
    confusions = generator.poisson(2, (40, 4, 4)).astype(float)
    confusions[:, 3] = 0  # a genre that is answered, but not there
    parts, whole = intervals.group_parts(confusions), confusions.sum(0)
    f1 = float(intervals.macro_f1(whole))
    assert parts.sum(0) / whole.sum() == pytest.approx([np.trace(whole) / whole.sum(), f1])
    without = intervals.macro_f1(whole - confusions)  # leaving out each group in turn
    sizes = confusions.sum((1, 2))
    predicted = (parts[:, 1].sum() - parts[:, 1]) / (whole.sum() - sizes)
    assert np.corrcoef(predicted, without)[0, 1] > 0.99
