"""The paired bootstrap test: it draws whole groups (artists), because their tracks are alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RESAMPLES = 10_000
CHUNK = 500  # resamples at a time: bounds the memory


def resamples(
    groups: int, shares: np.ndarray | None = None, count: int = RESAMPLES
) -> Iterator[np.ndarray]:
    """How often each group is drawn, resample by resample, in chunks (resample, group).

    ``shares`` (share,) sum to 1: how likely each is drawn; default: each group equally.
    """
    generator = np.random.default_rng(0)
    chances = np.full(groups, 1 / groups) if shares is None else shares
    for begin in range(0, count, CHUNK):
        size = min(CHUNK, count - begin)
        yield generator.multinomial(groups, chances, size).astype(np.float64)


def bootstrap_p(differences: np.ndarray) -> float:
    """The two-sided p value of no difference, from resampled differences (resample,)."""
    below, above = (differences <= 0).sum(), (differences >= 0).sum()
    return float(min(1.0, 2 * (min(below, above) + 1) / (len(differences) + 1)))


def paired_p(differences: np.ndarray, groups: np.ndarray) -> float:
    """The p value for the hypothesis that two systems are right equally often.

    Only the sign of a resampled difference counts, so groups without a difference are drawn as
    one: thousands of artists take no longer than those on which the systems differ.

    Args:
        differences: (track,) 1 if only the first is right, -1 if only the second, else 0.
        groups: (track,) group numbers or names.
    """
    _, numbers = np.unique(groups, return_inverse=True)
    totals = np.bincount(numbers, weights=differences)
    differing = totals[totals != 0]
    if not len(differing):
        return 1.0
    shares = np.full(len(differing) + 1, 1 / len(totals))
    shares[-1] = max(0.0, 1 - shares[:-1].sum())
    weights = np.append(differing, 0.0)
    drawn = [counts @ weights for counts in resamples(len(totals), shares)]
    return bootstrap_p(np.concatenate(drawn))
