"""A gain over several corpora and its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DRAWS = 2_000


def pooled_gain(corpora: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float, float]:
    """The mean over corpora of the mean difference of their tracks, and its 95 % interval, for
    which each corpus's groups are resampled; ``corpora`` are differences and groups (track,)."""
    random = np.random.default_rng(0)
    drawn = np.zeros(DRAWS)
    for difference, groups in corpora:
        _, numbers = np.unique(groups, return_inverse=True)
        totals, counts = np.bincount(numbers, difference), np.bincount(numbers)
        draws = random.multinomial(len(totals), np.full(len(totals), 1 / len(totals)), DRAWS)
        drawn += (draws @ totals) / (draws @ counts) / len(corpora)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(np.mean([each.mean() for each, _ in corpora])), float(low), float(high)
