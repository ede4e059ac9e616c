import numpy as np
import pytest

from mgc.evaluation.reliability import bins
from mgc.runs.metrics import expected_calibration_error


def test_bins_hold_every_track_and_give_the_calibration_error() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([0.5, 0.5, 0.5], size=400)
    genres = rng.integers(3, size=400)
    found = bins(genres, shares)
    assert sum(b.tracks for b in found) == 400
    gap = sum(b.tracks * abs(b.accuracy - b.confidence) for b in found) / 400
    assert gap == pytest.approx(expected_calibration_error(genres, shares))


def test_accuracy_of_a_bin_and_its_interval_by_hand() -> None:
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    found = bins(np.array([0, 0, 1, 1]), shares)
    low, high = found
    assert (low.accuracy, low.tracks) == (0.0, 1)
    assert high.accuracy == pytest.approx(2 / 3)
    assert high.accuracy_low < 2 / 3 < high.accuracy_high
    assert high.low <= 0.9 < high.high


def test_certainty_belongs_to_the_last_bin() -> None:
    (only,) = bins(np.array([0]), np.array([[1.0, 0.0]]))
    assert only.high == pytest.approx(1.0)
