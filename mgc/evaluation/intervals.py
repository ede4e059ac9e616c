"""Intervals and paired tests: pure functions on arrays of right and wrong answers.

Tracks by one artist resemble each other, so they are not independent trials: if groups (artists)
are known, whole groups are resampled and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats

from mgc.runs.metrics import Z95, wilson
from mgc.runs.paired_test import LEVEL

RESAMPLES = 10_000
CHUNK = 500  # resamples at a time: bounds the memory


def accuracy_interval(right: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of an accuracy, from tracks that come in groups.

    Wilson's score interval with the effective number of tracks: their number divided by the
    design effect (variance of the mean with whole groups as sampling units, over that of
    independent tracks; at least 1) and corrected for few groups by the t quantile (Korn and
    Graubard 1998; Franco et al. 2019 find Wilson's form the soundest of its kind). If every track
    is its own group, this is Wilson's interval.

    Args:
        right: (track,) in [0, 1]: whether the answer was right, or in what share of the seeds.
        groups: (track,) group numbers.
    """
    count, mean = len(right), float(right.mean())
    _, numbers = np.unique(groups, return_inverse=True)
    n_groups = int(numbers.max()) + 1
    if n_groups == count or n_groups < 2:
        return wilson(mean * count, count)
    totals = np.bincount(numbers, weights=right - mean)
    variance = n_groups / (n_groups - 1) * float((totals**2).sum()) / count**2
    independent = mean * (1 - mean) / count
    effect = max(1.0, variance / independent) if independent > 0 else 1.0
    few = (Z95 / stats.t.ppf(1 - LEVEL / 2, n_groups - 1)) ** 2
    effective = count / effect * few
    return wilson(mean * effective, effective)


def seed_interval(values: Sequence[float]) -> float:
    """Half the width of the 95 % t interval of a mean over seeds; NaN for a single seed."""
    if len(values) < 2:
        return float("nan")
    quantile = stats.t.ppf(1 - LEVEL / 2, len(values) - 1)
    return float(quantile * np.std(values, ddof=1) / np.sqrt(len(values)))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """The mid-p value of McNemar's exact test that two systems are right equally often.

    Fagerland, Lydersen and Laake 2013: the exact test made less conservative. Only tracks on which
    the systems differ count.

    Args:
        first, second: (track,) bool, whether each system is right, with tracks in the same order.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first == only_second:
        return 1.0
    fewer, differing = min(only_first, only_second), only_first + only_second
    binomial = stats.binom(differing, 0.5)
    return float(min(1.0, 2 * binomial.cdf(fewer) - binomial.pmf(fewer)))


def pooled_p(values: Sequence[float]) -> float:
    """Combine p values that depend on each other (seeds on the same tracks) into one.

    Twice their median, at most 1: valid whatever the dependence (Rüschendorf 1982).
    """
    return float(values[0]) if len(values) == 1 else float(min(1.0, 2 * np.median(values)))


def holm(values: Sequence[float]) -> list[float]:
    """p values adjusted for their number (Holm 1979), in the same order."""
    order = np.argsort(values, kind="stable")
    scaled = np.arange(len(values), 0, -1) * np.array(values)[order]
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, scaled))
    return [float(p) for p in adjusted]


def resamples(groups: int, count: int = RESAMPLES) -> Iterator[np.ndarray]:
    """How often each group is drawn, resample by resample, in chunks (resample, group)."""
    generator = np.random.default_rng(0)
    for begin in range(0, count, CHUNK):
        size = min(CHUNK, count - begin)
        yield generator.multinomial(groups, np.full(groups, 1 / groups), size).astype(np.float64)


def percentile_interval(values: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of resampled values."""
    low, high = np.quantile(values, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def macro_f1(confusions: np.ndarray) -> np.ndarray:
    """Macro F1 (…,) of confusion matrices (…, true genre, predicted genre), over the genres that
    have tracks."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    true, said = confusions.sum(-1), confusions.sum(-2)
    there = true > 0
    f1 = np.where(there, 2 * hits / np.maximum(true + said, 1e-12), 0.0)
    return np.asarray(f1.sum(-1) / np.maximum(there.sum(-1), 1))


def group_parts(confusions: np.ndarray) -> np.ndarray:
    """Each group's part of accuracy and macro F1 (group, figure), from confusion matrices (group,
    true genre, predicted genre): the parts' sum is the figure times the number of tracks.

    F1 is not a sum over tracks; its parts are its linear approximation around the whole.
    """
    sizes, hits = confusions.sum((1, 2)), np.diagonal(confusions, axis1=1, axis2=2)
    counts = confusions.sum(2) + confusions.sum(1)  # true and predicted (group, genre)
    there = confusions.sum((0, 2)) > 0
    hits, counts = hits[:, there], counts[:, there]
    f1 = 2 * hits.sum(0) / counts.sum(0)
    around = ((2 * hits - f1 * counts) / counts.sum(0)).mean(1)
    return np.stack([hits.sum(1), sizes.sum() * around + sizes * f1.mean()], axis=1)
