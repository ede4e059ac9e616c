"""Which tracks are the same recording: the same samples, or the same music in another encoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mgc.datasets.quality.acoustic_fingerprint import SECONDS_PER_CODE

#: Bits that may differ between two copies. The paper uses 0.35; on 372 clips (69,006 pairs) of
#: three collections, copies down to 16 kbit/s had 0.12 at most, other pairs 0.46 and more.
MAX_ERROR = 0.25
MIN_OVERLAP = 5.0  # seconds that two copies must have in common
#: Codes that must match exactly at one offset before a pair is compared in full.
MIN_HITS = 3
#: A code that occurs more often (a held tone, a hum) is no evidence of a copy.
MAX_OCCURRENCES = 64
#: With more codes than this, chance alone makes too many equal pairs: for each doubling, one bit
#: more must agree, `LATER` codes later. Of 150 real clips, 2⁻²⁷ of all pairs were equal.
MAX_CODES = 1 << 25
LATER = 16  # codes: what is heard in one is not in the other
IN_SLICE = 1 << 24  # codes matched at once, by value, so that memory stays bounded
BLOCK = 1 << 20  # codes looked through at once


@dataclass(frozen=True)
class Pair:
    """Two tracks that are the same recording.

    Attributes:
        first, second: their row numbers, ``first < second``.
        error: share of the bits that differ in the overlap.
        offset: seconds by which the second begins later in the recording than the first.
        seconds: the length of the overlap.
    """

    first: int
    second: int
    error: float
    offset: float
    seconds: float


def exact(hashes: Sequence[str]) -> list[list[int]]:
    """Groups of tracks with equal samples, from one hash per track ("": unknown)."""
    groups: dict[str, list[int]] = {}
    for number, code in enumerate(hashes):
        if code:
            groups.setdefault(code, []).append(number)
    return [group for group in groups.values() if len(group) > 1]


def near(prints: Sequence[np.ndarray]) -> list[Pair]:
    """All pairs of tracks whose fingerprints agree at some offset, the most certain first.

    Args:
        prints: the fingerprint of each track, (frame,) uint32, see `fingerprint.codes`.
    """
    if not len(prints):
        return []
    return near_in(np.concatenate(prints), np.array([len(one) for one in prints]))


def near_in(codes: np.ndarray, lengths: np.ndarray) -> list[Pair]:
    """`near` of fingerprints that follow each other in ``codes`` (frame,), which may be mapped from
    a file; ``lengths`` (track,) in frames."""
    ends = np.cumsum(lengths)

    def track(number: int) -> np.ndarray:
        return codes[ends[number] - lengths[number] : ends[number]]

    best: dict[tuple[int, int], Pair] = {}
    for first, second, offset in _candidates(codes, lengths):
        for shift in (-1, 0, 1):
            pair = _compared(track(first), track(second), first, second, offset + shift)
            old = best.get((first, second))
            if pair and (old is None or pair.error < old.error):
                best[first, second] = pair
    return sorted(best.values(), key=lambda pair: (pair.error, pair.first, pair.second))


def _candidates(codes: np.ndarray, lengths: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """(first, second, offset in frames) with enough codes in common at that offset."""
    ends = np.cumsum(lengths)
    span = int(lengths.max(initial=1)) + 1  # offsets lie in (-span, span)
    more = max(0, (len(codes) - 1) // MAX_CODES).bit_length()
    found = [np.zeros(0, np.int64)]
    for rows in _slices(codes):
        track = np.searchsorted(ends, rows, "right").astype(np.int32)
        place = (rows - (ends - lengths)[track]).astype(np.int32)
        keys = codes[rows].astype(np.uint64)
        if more:
            last = place + LATER >= lengths[track]
            later = codes[np.where(last, rows, rows + LATER)] & np.uint32((1 << more) - 1)
            keys = (keys << np.uint64(more) | later)[~last]
            track, place = track[~last], place[~last]
        found.append(_hits(keys, track, place, span, len(lengths)))
    hits = np.sort(np.concatenate(found))
    for key in np.unique(hits[MIN_HITS - 1 :][hits[MIN_HITS - 1 :] == hits[: 1 - MIN_HITS]]):
        pair, offset = divmod(int(key), 2 * span)
        first, second = divmod(pair, len(lengths))
        yield first, second, offset - span


def _slices(codes: np.ndarray) -> Iterator[np.ndarray]:
    """Row numbers of the codes in each slice of values; silence (0) is in none."""
    bits = max(4, ((len(codes) - 1) // IN_SLICE).bit_length())
    for number in range(1 << bits):
        parts = []
        for start in range(0, len(codes), BLOCK):
            some = codes[start : start + BLOCK]
            inside = np.flatnonzero(some >> np.uint32(32 - bits) == number)
            parts.append(start + (inside if number else inside[some[inside] != 0]))
        if parts and len(rows := np.concatenate(parts)):
            yield rows


def _hits(
    codes: np.ndarray, track: np.ndarray, place: np.ndarray, span: int, count: int
) -> np.ndarray:
    """One key (first, second, offset) per pair of equal codes in different tracks."""
    order = np.argsort(codes, kind="stable")
    codes, track, place = codes[order], track[order], place[order]
    size = np.diff(np.append(np.nonzero(np.r_[True, codes[1:] != codes[:-1]])[0], len(codes)))
    rare = np.repeat(size <= MAX_OCCURRENCES, size)
    codes, track, place = codes[rare], track[rare], place[rare]
    keys = []
    for step in range(1, MAX_OCCURRENCES):  # each code against its step-th neighbour of equal value
        same = np.nonzero(codes[step:] == codes[:-step])[0]
        if not len(same):
            break
        one, other = same, same + step
        apart = track[one] < track[other]  # the stable sort keeps the tracks in order
        one, other = one[apart], other[apart]
        pair = track[one].astype(np.int64) * count + track[other]
        keys.append(pair * (2 * span) + (place[one] - place[other] + span))
    return np.concatenate(keys) if keys else np.zeros(0, np.int64)


def _compared(
    one: np.ndarray, other: np.ndarray, first: int, second: int, offset: int
) -> Pair | None:
    """The pair at an offset, if both are one recording."""
    one, other = one[max(0, offset) :], other[max(0, -offset) :]
    length = min(len(one), len(other))
    one, other = one[:length], other[:length]
    heard = (one != 0) & (other != 0)
    seconds = int(heard.sum()) * SECONDS_PER_CODE
    if seconds < MIN_OVERLAP:
        return None
    error = float(np.bitwise_count(one[heard] ^ other[heard]).mean()) / 32
    if error > MAX_ERROR:
        return None
    return Pair(first, second, error, offset * SECONDS_PER_CODE, seconds)
