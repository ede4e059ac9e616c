"""Whether one system is better than another: decided here, wherever it is said.

The sign-flip test (Fisher 1935) takes a whole group (an artist) as one unit, because its tracks are
alike. If two systems are equally good, each group's difference is as likely to have either sign,
so p is the share of all sign patterns whose total is at least as large. That holds for any number
and any sizes of groups; a bootstrap of groups does not (docs/measurement.md has the simulation).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

LEVEL = 0.05
MIN_GROUPS = 6  # of five, all 2⁵ patterns counted, p is never below 2/32
PATTERNS = 10_000
MAX_GROUPS = 10_000  # more are gathered: bounds the memory; so many units are as sharp as any
MAX_COUNTED = 13  # groups: up to 2¹³ patterns are all counted, else PATTERNS drawn
CHUNK = 500  # patterns at a time: bounds the memory


class PairedTest(NamedTuple):
    """For each of several differences its two-sided p and 95 % interval, each (difference,)."""

    p: np.ndarray
    low: np.ndarray
    high: np.ndarray


def flips(groups: int) -> Iterator[np.ndarray]:
    """Which groups' signs are flipped: patterns of 0 and 1 in chunks (pattern, group), the one that
    flips nothing included."""
    if groups <= MAX_COUNTED:
        yield (np.arange(2**groups)[:, None] >> np.arange(groups) & 1).astype(float)
        return
    generator = np.random.default_rng(0)
    yield np.zeros((1, groups))
    for begin in range(1, PATTERNS, CHUNK):
        size = (min(CHUNK, PATTERNS - begin), -(-groups // 8))
        drawn = generator.integers(0, 256, size, np.uint8)
        yield np.unpackbits(drawn, axis=1, count=groups).astype(float)


def paired_test(totals: np.ndarray, sizes: np.ndarray) -> PairedTest:
    """Test that differences are 0. The interval holds every difference that the same test, on what
    the groups differ from it, does not reject: it excludes 0 if p ≤ 0.05.

    Args:
        totals: (group, difference) each group's part, in tracks; the difference is their sum over
            that of ``sizes``.
        sizes: (group,) tracks.
    """
    both = np.column_stack([totals, sizes])
    flipped = np.concatenate([pattern @ both for pattern in flips(len(sizes))])
    kept = both.sum(0) - flipped
    p = (np.abs(kept - flipped)[:, :-1] >= np.abs(totals.sum(0)) - 1e-9).mean(0)
    # A pattern does not reject what lies between the means of its flipped and its other groups;
    # one of the two may be empty, and nothing is rejected.
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.array([flipped[:, :-1] / flipped[:, -1:], kept[:, :-1] / kept[:, -1:]])
    beyond = int(LEVEL * len(flipped))
    low = np.sort(np.nan_to_num(means, nan=-1.0).min(0), 0)[beyond]
    high = np.sort(np.nan_to_num(means, nan=1.0).max(0), 0)[-1 - beyond]
    return PairedTest(p, low, high)


def paired_p(differences: np.ndarray, groups: np.ndarray) -> tuple[float, int]:
    """The p of differences track by track (track,), with group numbers or names (track,), and how
    many groups there are."""
    names, numbers = np.unique(groups, return_inverse=True)
    numbers = gathered(numbers)
    totals = np.bincount(numbers, weights=differences)
    return float(paired_test(totals[:, None], np.bincount(numbers)).p[0]), len(names)


def gathered(groups: np.ndarray) -> np.ndarray:
    """Group numbers (track,), from 0 without gaps; if there are more than `MAX_GROUPS`, units of
    groups that chance puts together. Signs of units are as exchangeable as those of groups."""
    count = int(groups.max(initial=0)) + 1
    if count <= MAX_GROUPS:
        return groups
    unit: np.ndarray = np.random.default_rng(0).permutation(count)[groups] % MAX_GROUPS
    return unit


def too_few(groups: int, unit: str) -> str:
    """``too few artists to tell (5; a test needs 6)``; "" if there are enough."""
    enough = groups >= MIN_GROUPS
    return "" if enough else f"too few {unit} to tell ({groups}; a test needs {MIN_GROUPS})"


def unit_of(group_by: str) -> str:
    """What the groups of a dataset are called, from its ``group_by``."""
    return {"none": "tracks", "artist": "artists", "album": "albums"}.get(group_by, "groups")
