"""What a file was, as a small difference to what it is.

Tagging moves the sound by some bytes, and changes a few bytes of each page of Ogg. The difference
is a list of pieces: bytes of the file as it is, by place and length, and new ones.
"""

from __future__ import annotations

import json

import numpy as np
import zstandard

ANCHOR = 32  # bytes that are looked for to find where a piece goes on
MAX_SEARCHES = 1_000  # through all of a file; what is not found then counts as new
NEW = -1  # the place of new bytes
MAX_BLOCK = 1 << 20  # bytes compared at once


def difference(before: bytes, after: bytes) -> bytes:
    """What `restored` needs, beside ``after``, to give ``before``."""
    pieces, new = list[tuple[int, int]](), bytearray()
    ones, others = np.frombuffer(before, np.uint8), np.frombuffer(after, np.uint8)
    at = place = searches = 0
    while at < len(before):
        length = _equal_bytes(ones[at:], others[place:])
        pieces.append((place, length))
        at, place = at + length, place + length
        start = at
        while at < len(before):  # until a piece goes on, as far behind it as here, or elsewhere
            anchor = before[at : at + ANCHOR]
            if after[place : place + len(anchor)] == anchor:
                break
            if searches < MAX_SEARCHES:
                searches += 1
                if (found := after.find(anchor)) >= 0:
                    place = found
                    break
            at, place = at + len(anchor), place + len(anchor)
        new += before[start:at]
        pieces.append((NEW, at - start))
    return zstandard.compress(json.dumps(pieces).encode() + b"\n" + new)


def restored(delta: bytes, after: bytes) -> bytes:
    """The file as it was. Raises ValueError if the difference is damaged."""
    try:
        pieces, _, new = zstandard.decompress(delta).partition(b"\n")
        made, taken = list[bytes](), 0
        for place, length in json.loads(pieces):
            if place == NEW:
                made.append(new[taken : taken + length])
                taken += length
            else:
                made.append(after[place : place + length])
    except (zstandard.ZstdError, TypeError) as error:
        raise ValueError(str(error)) from error
    return b"".join(made)


def _equal_bytes(ones: np.ndarray, others: np.ndarray) -> int:
    """How many bytes two begin with alike."""
    size = min(len(ones), len(others))
    start, block = 0, 256
    while start < size:
        unequal = ones[:size][start : start + block] != others[:size][start : start + block]
        if unequal.any():
            return start + int(unequal.argmax())
        start, block = start + block, min(2 * block, MAX_BLOCK)
    return size
