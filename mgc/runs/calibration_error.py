"""The expected calibration error, corrected for its bias, with an interval for other artists.

Binned, the error is never 0, even if a system is perfectly calibrated: chance alone puts each bin
off, the more, the fewer tracks it holds (Roelofs et al. 2022, "Mitigating Bias in Calibration
Error Estimation", who also recommend bins of equally many tracks). The correction is that of Kumar
et al. 2019, "Verified Uncertainty Calibration": twice the error, less the mean error if each bin's
gap is drawn again around what was seen. Here the spread of a gap is that of whole artists, and the
interval leaves each artist out in turn (the jackknife of Quenouille and Tukey), since tracks by one
artist are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mgc.runs import Run
from mgc.runs.paired_test import LEVEL

#: What the error and its interval are called wherever they are kept.
NAMES = ("ece_corrected", "ece_low", "ece_high")

#: With more, more of the bias stays; with fewer, errors in opposite directions cancel out.
EQUAL_BINS = 5
MIN_ARTISTS = 3
TINY = 1e-12


@dataclass(frozen=True)
class Answered:
    """One run's answers: confidence and right (track,) in [0, 1], and group numbers (track,)."""

    confidence: np.ndarray
    right: np.ndarray
    groups: np.ndarray


def corrected_error(runs: Sequence[Answered]) -> tuple[float, float, float]:
    """The corrected error, a mean over runs (seeds), and its 95 % interval; all in [0, 1].

    Groups have the same numbers in all runs. With fewer than `MIN_ARTISTS` the interval is 0 to 1.
    """
    count = 1 + max(int(run.groups.max()) for run in runs)
    if count < MIN_ARTISTS:
        plain = [np.abs(_gaps(run, count).sum(0)).sum() / len(run.right) for run in runs]
        return float(np.mean(plain)), 0.0, 1.0
    made = np.mean([_each_left_out(run, count) for run in runs], axis=0)
    error, without = made[0], made[1:]
    half = stats.t.ppf(1 - LEVEL / 2, count - 1) * np.sqrt((count - 1) * without.var())
    low, error, high = np.clip([error - half, error, error + half], 0.0, 1.0)
    return float(error), float(low), float(high)


def calibration_of(
    truth: np.ndarray, probabilities: np.ndarray, groups: np.ndarray
) -> dict[str, float]:
    """The `corrected_error` of one run's answers, by `NAMES`.

    ``truth`` (track,) are genre numbers, ``probabilities`` (track, genre), ``groups`` (track,) what
    tells artists apart.
    """
    numbers = np.unique(groups, return_inverse=True)[1]
    right = (probabilities.argmax(1) == truth).astype(float)
    asked = Answered(probabilities.max(1), right, numbers)
    return dict(zip(NAMES, corrected_error([asked]), strict=True))


def calibration_of_run(run: Run, part: str = "test") -> dict[str, float]:
    """The same of a part of a run's predictions."""
    rows = run.rows(part)
    groups = rows["group" if "group" in rows else "track_id"].to_numpy()
    return calibration_of(run.truth(rows), run.probabilities(rows), groups)


def _gaps(run: Answered, count: int) -> np.ndarray:
    """Sum of confidence minus right (group, bin); bins hold equally many tracks."""
    order = run.confidence.argsort(kind="stable").argsort(kind="stable")
    gaps = np.zeros((count, EQUAL_BINS))
    np.add.at(gaps, (run.groups, order * EQUAL_BINS // len(order)), run.confidence - run.right)
    return gaps


def _each_left_out(run: Answered, count: int) -> np.ndarray:
    """The corrected error of all groups, then without each (1 + group,)."""
    gaps = _gaps(run, count)
    sizes = np.bincount(run.groups, minlength=count)[:, None]
    sums, squares, tracks = (
        whole.sum(0) - np.insert(whole, 0, 0, axis=0) for whole in (gaps, gaps**2, sizes)
    )
    kept = np.insert(np.full((count, 1), count - 1), 0, count, axis=0)
    variance = np.maximum(squares - sums**2 / kept, 0) * kept / (kept - 1)
    error, spread = np.abs(sums), np.sqrt(variance) + TINY
    # The mean of the absolute value of a normal variable around the gap.
    far = error / spread
    again = spread * (2 * stats.norm.pdf(far) + far * (2 * stats.norm.cdf(far) - 1))
    return np.asarray((2 * error - again).sum(1) / tracks[:, 0])
