"""Spreads groups of tracks over parts (splits) so that each part has its share of every genre."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def allocate(
    genres: np.ndarray, group: np.ndarray, shares: Sequence[float], seed: int
) -> np.ndarray:
    """The part of each track (track,), 0 to ``len(shares) - 1``; groups are never split up.

    Greedy, as in scikit-learn's StratifiedGroupKFold, but for parts of unequal size and for few
    groups: the groups, the most lopsided first, go where the genres come closest to their shares.
    Then a part that lacks a genre gets the smallest group of it that can be spared elsewhere, so
    that every genre with as many groups as parts is in every part.

    Args:
        genres: the genre of each track (track,).
        group: the group of each track (track,).
        shares: the share of the tracks that each part should hold; they add up to 1.
        seed: breaks ties.
    """
    _, genre_number = np.unique(genres, return_inverse=True)
    _, group_number = np.unique(group, return_inverse=True)
    counts = np.zeros((group_number.max() + 1, genre_number.max() + 1))
    np.add.at(counts, (group_number, genre_number), 1)
    part = _greedy(counts, np.asarray(shares, float), np.random.default_rng(seed))
    _fill_gaps(counts, part, len(shares))
    return part[group_number]


def _greedy(counts: np.ndarray, shares: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The part of each group (group,) from tracks (group, genre)."""
    totals = counts.sum(axis=0)
    wanted = shares[:, None] * totals
    filled = np.zeros_like(wanted)
    order = random.permutation(len(counts))
    order = order[np.argsort(-counts[order].std(axis=1), kind="stable")]
    # One genre: all deviations are zero, so the size decides.
    order = order[np.argsort(-counts[order].max(axis=1), kind="stable")]
    part = np.zeros(len(counts), int)
    for number in order:
        after = filled + counts[number]
        # How much further from (or nearer to) its wanted counts each part comes.
        change = (((after - wanted) ** 2 - (filled - wanted) ** 2) / totals**2).sum(axis=1)
        part[number] = np.argmin(change / shares)
        filled[part[number]] = after[part[number]]
    return part


def _fill_gaps(counts: np.ndarray, part: np.ndarray, parts: int) -> None:
    """Move groups in place until every part has every genre, as far as the groups allow."""
    has = counts > 0
    for genre in np.argsort(has.sum(axis=0), kind="stable"):  # the scarcest first
        for lacking in range(parts):
            if not has[part == lacking, genre].any():
                spare = _spare(counts, part, parts, genre)
                if spare is not None:
                    part[spare] = lacking


def _spare(counts: np.ndarray, part: np.ndarray, parts: int, genre: int) -> int | None:
    """The smallest group with this genre that no part needs to keep any genre."""
    has = (counts > 0).astype(int)
    held = np.zeros((parts, counts.shape[1]), int)
    np.add.at(held, part, has)
    needed = (has.astype(bool) & (held[part] == 1)).any(axis=1)
    free = np.nonzero(has[:, genre].astype(bool) & ~needed)[0]
    if not len(free):
        return None
    return int(free[np.argmin(counts[free].sum(axis=1))])
