"""The paired test that choosing a run and comparing runs share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mgc.runs.paired_test import paired_p


def test_alone_in_their_groups_it_is_close_to_the_sign_test() -> None:
    differences = np.r_[np.ones(30), -np.ones(12), np.zeros(158)]
    exact = stats.binomtest(12, 42, 0.5).pvalue  # 0.0079
    found = paired_p(differences, np.arange(200))
    assert found == pytest.approx(exact, abs=0.006)
    assert paired_p(-differences, np.arange(200)) == pytest.approx(found, abs=0.004)


def test_whole_groups_count_once() -> None:
    differences = np.r_[np.ones(30), -np.ones(12), np.zeros(158)]
    alone = paired_p(differences, np.arange(200))
    together = paired_p(differences, np.arange(200) // 10)
    assert alone < 0.05 < together


def test_groups_without_a_difference_change_nothing() -> None:
    differences = np.r_[np.ones(9), -np.ones(3)]
    few = paired_p(differences, np.arange(12))
    many = paired_p(np.r_[differences, np.zeros(5_000)], np.arange(5_012))
    assert few == pytest.approx(many, abs=0.02)
    assert paired_p(np.zeros(10), np.arange(10)) == 1.0
