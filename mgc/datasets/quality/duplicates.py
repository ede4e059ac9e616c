"""Which tracks are the same recording: the same samples, or the same music in another encoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mgc.datasets.quality.acoustic_fingerprint import SECONDS_PER_CODE
from mgc.datasets.quality.kept_codes import Buckets, KeptCodes

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
IN_BUCKET = 1 << 22  # codes sorted at once, so that memory stays bounded


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
    with KeptCodes() as kept:
        for one in prints:
            kept.add(one)
        return near_in(kept)


def near_in(kept: KeptCodes) -> list[Pair]:
    """`near` of kept fingerprints."""
    starts = np.cumsum(kept.lengths, dtype=np.int64) - kept.lengths
    best: dict[tuple[int, int], Pair] = {}
    for first, second, offset in _candidates(kept, starts):
        one, other = (kept.read(starts[n], kept.lengths[n]) for n in (first, second))
        for shift in (-1, 0, 1):
            pair = _compared(one, other, first, second, offset + shift)
            old = best.get((first, second))
            if pair and (old is None or pair.error < old.error):
                best[first, second] = pair
    return sorted(best.values(), key=lambda pair: (pair.error, pair.first, pair.second))


def _candidates(kept: KeptCodes, starts: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """(first, second, offset in frames) with enough codes in common at that offset."""
    count, total = len(starts), sum(kept.lengths)
    span = max(kept.lengths, default=0) + 1  # offsets lie in (-span, span)
    more, row_bits = max(0, (total - 1) // MAX_CODES).bit_length(), total.bit_length()
    bits = max(((total - 1) // IN_BUCKET).bit_length(), 32 + more + row_bits - 64, 0)
    begin = 0
    with Buckets(1 << bits) as by_code, Buckets(1 << bits) as by_pair:
        for codes, lengths in kept.blocks():
            keys, rows = _keys(codes, lengths, more)
            # Its first bits are the bucket's number, and need no room.
            by_code.add(keys >> (32 + more - bits), keys << row_bits | (rows + begin))
            begin += len(codes)
        for numbers in by_code.in_order():
            found = _hits(numbers >> row_bits, numbers & ((1 << row_bits) - 1), starts)
            for first, second, offset in found:
                hits = (first * count + second) * (2 * span) + (offset + span)
                by_pair.add((first << bits) // count, hits)
        for hits in by_pair.in_order():
            often = hits[MIN_HITS - 1 :][hits[MIN_HITS - 1 :] == hits[: 1 - MIN_HITS]]
            for key in np.unique(often).tolist():
                pair, offset = divmod(key, 2 * span)
                yield *divmod(pair, count), offset - span


def _keys(codes: np.ndarray, lengths: np.ndarray, more: int) -> tuple[np.ndarray, np.ndarray]:
    """What must be equal, for each code that is not silence (0), and its row in ``codes``: the code
    and, if ``more``, so many bits of a later one of the same track."""
    rows = np.flatnonzero(codes)
    if not more:
        return codes[rows].astype(np.uint64), rows.astype(np.uint64)
    left = np.repeat(np.cumsum(lengths), lengths)[rows] - rows
    rows = rows[left > LATER]
    later = codes[rows + LATER] & ((1 << more) - 1)
    return codes[rows].astype(np.uint64) << more | later, rows.astype(np.uint64)


def _hits(
    codes: np.ndarray, rows: np.ndarray, starts: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of equal codes in different tracks: (first, second, offset), each (pair,).

    The codes are sorted, and equal ones by their rows, so that the tracks are in order.
    """
    size = np.diff(np.flatnonzero(np.r_[True, codes[1:] != codes[:-1], True]))
    some = np.repeat((size > 1) & (size <= MAX_OCCURRENCES), size)
    codes, rows = codes[some], rows[some].astype(np.int64)
    track = np.searchsorted(starts, rows, "right") - 1
    place = rows - starts[track]
    for step in range(1, MAX_OCCURRENCES):  # each code against its step-th neighbour of equal value
        one = np.flatnonzero(codes[step:] == codes[:-step])
        if not len(one):
            break
        one = one[track[one] < track[one + step]]
        yield track[one], track[one + step], place[one] - place[one + step]


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
