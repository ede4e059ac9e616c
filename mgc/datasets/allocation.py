"""Spreads groups of tracks over parts (splits) so that each part has its share of every genre."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MAX_MOVES = 100  # of one group each; a set that a few large groups spoil takes about five
MAX_MOVABLE = 512  # groups that are tried: the largest, which spoil sizes, and the smallest


def allocate(
    genres: np.ndarray, group: np.ndarray, shares: Sequence[float], seed: int
) -> np.ndarray:
    """The part of each track (track,), 0 to ``len(shares) - 1``; groups are never split up.

    Greedy, as in scikit-learn's StratifiedGroupKFold, but for parts of unequal size and for few
    groups: the groups, the most lopsided first, go where the genres come closest to their shares.
    Then a part that lacks a genre gets the smallest group of it that can be spared elsewhere, so
    that every genre with as many groups as parts is in every part. If the result is useless
    (`_faults`), as a few large groups can make it, `repaired` moves groups until it is not.

    Args:
        genres: the genre of each track (track,).
        group: the group of each track (track,).
        shares: the share of the tracks that each part should hold; they add up to 1.
        seed: breaks ties.
    """
    counts, group_number = _counts(genres, group)
    part = _greedy(counts, np.asarray(shares, float), np.random.default_rng(seed))
    _fill_gaps(counts, part, len(shares))
    made: np.ndarray = _repaired(counts, part, np.asarray(shares, float))[group_number]
    return made


def repaired(
    genres: np.ndarray, group: np.ndarray, part: np.ndarray, shares: Sequence[float]
) -> np.ndarray:
    """The same part of each track (track,), unless it is useless and moving groups mends it."""
    counts, group_number = _counts(genres, group)
    part_of_group = np.zeros(len(counts), int)
    part_of_group[group_number] = part
    made: np.ndarray = _repaired(counts, part_of_group, np.asarray(shares, float))[group_number]
    return made


def _counts(genres: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tracks (group, genre), and the group number of each track (track,)."""
    _, genre_number = np.unique(genres, return_inverse=True)
    _, group_number = np.unique(group, return_inverse=True)
    counts = np.zeros((group_number.max() + 1, genre_number.max() + 1))
    np.add.at(counts, (group_number, genre_number), 1)
    return counts, group_number


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


def _repaired(counts: np.ndarray, part: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The part of each group (group,); if it is useless, the best of two descents, from itself and
    from all groups in the first part."""
    before = _faults(_held(counts, part, len(shares)), shares)
    if not before[list(USELESS)].any():
        return part
    made = [_descent(counts, start, shares) for start in (part, np.zeros_like(part))]
    found, best = min(made, key=lambda pair: pair[0])
    return best if found[:-1] < tuple(before[:-1].round(9)) else part


def _descent(
    counts: np.ndarray, part: np.ndarray, shares: np.ndarray
) -> tuple[tuple[float, ...], np.ndarray]:
    """(faults, part of each group) after moving the group that helps most until none does."""
    order = np.argsort(counts.sum(axis=1), kind="stable")
    movable = np.unique(np.r_[order[: MAX_MOVABLE // 2], order[-MAX_MOVABLE // 2 :]])
    each, part = np.arange(len(movable)), part.copy()
    held = _held(counts, part, len(shares))
    found = tuple(_faults(held, shares).round(9))
    for _ in range(MAX_MOVES):
        after = np.tile(held, (len(shares), len(movable), 1, 1))  # (target, group, part, genre)
        after[:, each, part[movable]] -= counts[movable]
        for target in range(len(shares)):
            after[target, :, target] += counts[movable]
        faults = _faults(after, shares).reshape(-1, len(found)).round(9)
        best = np.lexsort(faults.T[::-1])[0]
        if tuple(faults[best]) >= found:
            break
        target, number = divmod(int(best), len(movable))
        found, held, part[movable[number]] = tuple(faults[best]), after[target, number], target
    return found, part


def _held(counts: np.ndarray, part: np.ndarray, parts: int) -> np.ndarray:
    held = np.zeros((parts, counts.shape[1]))
    np.add.at(held, part, counts)
    return held


USELESS = (0, 1, 2, 4)  # of the faults: those that alone make a division useless


def _faults(held: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """What is wrong with tracks held (…, part, genre), the worst first (…, fault).

    Genres that cannot be learnt, empty parts, whether a part is larger than the training part,
    genres absent from parts, tracks by which parts are under half or over twice their share, and
    the distance from the shares. Part 0 is the training part if its share is more than half;
    else each part is tested by what is learnt from the others.
    """
    has, size = held > 0, held.sum(axis=-1)
    wanted = shares * size.sum(axis=-1, keepdims=True)
    uneven = np.maximum(size - 2 * wanted, 0) + np.maximum(wanted / 2 - size, 0)
    totals = held.sum(axis=-2, keepdims=True)
    off = ((held / totals - shares[:, None]) ** 2 / shares[:, None]).sum(axis=(-1, -2))
    none = np.zeros_like(off)
    if shares[0] > 0.5:
        untrained = (~has[..., 0, :]).sum(axis=-1)
        outweighed = size[..., 1:].max(axis=-1) > size[..., 0]
        absent = (~has).sum(axis=(-1, -2))
    else:
        untrained, outweighed, absent = (has.sum(axis=-2) == 1).sum(axis=-1), none, none
    empty = (size == 0).sum(axis=-1)
    return np.stack([untrained, empty, outweighed, absent, uneven.sum(axis=-1), off], axis=-1)
