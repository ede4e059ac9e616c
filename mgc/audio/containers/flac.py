"""FLAC: the number of samples, which the header need not state, from the last frame (RFC 9639)."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import NamedTuple

from mgc.audio.byte_ranges import Content, Piece
from mgc.audio.containers.contents import Contents, SoundPart, claim_remark, ends_remark, joined

#: With the header of STREAMINFO, always the first block and sometimes the only one.
MAGICS = b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22"
_COUNT = 21  # position of the 36 bits that state the number of samples, behind 4 bits
_PROBES = 7
_TAIL = 1 << 18  # bytes: more than one frame of any usual file
_BLOCKS = {1: 192, **{n: 576 << n - 2 for n in range(2, 6)}, **{n: 1 << n for n in range(8, 16)}}


class LastFrame(NamedTuple):
    """Where a frame begins, and which samples it holds."""

    at: int
    sample: int
    samples: int


class FlacStream(NamedTuple):
    """A FLAC stream: where it is, the samples stated and found, and their rate in Hz."""

    start: int
    end: int
    stated: int
    samples: int
    rate: int

    def pieces(self, content: Content) -> tuple[Piece, ...]:
        """The stream as a file of its own that states the right number of samples."""
        count = self.start + _COUNT
        (before,) = struct.unpack_from(">Q", content, count - 3)
        right = (before >> 36 << 36) | self.samples
        head = content[self.start : count - 3] + right.to_bytes(8, "big")
        return head, (count + 5, self.end)


def contents(content: Content, at: int, end: int) -> Contents:
    """What is in the FLAC file that begins at a position, behind an ID3 tag or foreign bytes."""
    found = [one for one in streams(content, at, end) if one.rate]
    parts = [SoundPart(one.pieces(content), one.samples / one.rate) for one in found]
    remarks = [
        claim_remark(one.stated / one.rate, one.samples / one.rate) for one in found if one.stated
    ]
    front = 0 if content[:3] == b"ID3" else at
    right = all(one.stated == one.samples for one in found)
    return joined(parts, right and not front, [ends_remark(front, 0), *remarks])


def streams(content: Content, at: int, end: int) -> list[FlacStream]:
    """The streams between two positions. They are looked for only if there may be several: a search
    of the whole file takes as long as a tenth of its decoding."""
    alone = _stream(content, at, end)
    if alone.stated == alone.samples and _in_order(content, alone):
        return [alone]
    starts = [at]
    while (at := content.find(MAGICS[0][:4], at + 1, end)) > 0:
        starts += [at] * (content[at : at + 8] in MAGICS)
    return [_stream(content, *both) for both in pairwise([*starts, end])]


def _in_order(content: Content, stream: FlacStream) -> bool:
    """Do the samples go on from place to place? In the same stream twice, they begin again."""
    first = first_frame(content, stream.start, stream.end)
    opening = _frame(content, first, 0)
    step = (stream.end - first) // (_PROBES + 1)
    found = [0]
    for place in range(first + step, first + _PROBES * step + 1, max(1, step)):
        at = place
        while (at := content.find(content[first : first + 2], at, place + _TAIL)) >= 0:
            if frame := _frame(content, at, opening.samples if opening else 0):
                found.append(frame.sample)
                break
            at += 1
    return found == sorted(found)


def _stream(content: Content, start: int, end: int) -> FlacStream:
    info = int.from_bytes(content[start + 18 : start + 26], "big")
    rate, stated = info >> 44, info & (1 << 36) - 1
    first = first_frame(content, start, end)
    last = _last_frame(content, first, end)
    if last is None:
        return FlacStream(start, end, stated, stated, rate)
    samples = last.sample + last.samples
    if samples != stated and _crc16(content[last.at : end]):
        return FlacStream(start, last.at, stated, last.sample, rate)  # the last frame is cut off
    return FlacStream(start, end, stated, samples, rate)


def first_frame(content: Content, start: int, end: int) -> int:
    """The end of the metadata."""
    at, is_last = start + 4, False
    while not is_last and at + 4 <= end:
        is_last = content[at] >= 0x80
        at += 4 + int.from_bytes(content[at + 1 : at + 4], "big")
    return at


def _last_frame(content: Content, first: int, end: int) -> LastFrame | None:
    """The last frame whose number fits the frame before it."""
    sync = content[first : first + 2]
    if len(sync) < 2 or sync[0] != 0xFF or sync[1] >> 1 != 0x7C:
        return None
    opening = _frame(content, first, 0)
    usual = opening.samples if opening else 0
    after: LastFrame | None = None
    at = end
    while (at := content.rfind(sync, max(first, end - _TAIL), at + 1)) >= 0:
        frame = _frame(content, at, usual)
        if frame and after and frame.sample + frame.samples == after.sample:
            return after
        if frame and frame.at == first and after is None:
            return frame
        after = frame or after
        at -= 1
    return after if after and after.at == first else None


def _frame(content: Content, at: int, usual: int) -> LastFrame | None:
    """The frame whose header is here, checked by its CRC-8; ``usual``: samples of the frames."""
    head = content[at : at + 16]
    if len(head) < 16 or head[3] & 1 or head[2] & 15 == 15:
        return None
    code = head[4]
    more = 0 if code < 0x80 else 7 - (code ^ 0xFF).bit_length()
    number = code & (0x7F >> (more + 1 if more else 0))
    for byte in head[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    block, at_block = head[2] >> 4, 5 + more
    extra = {6: 1, 7: 2}.get(block, 0)
    stated = int.from_bytes(head[at_block : at_block + extra], "big") + 1
    samples = stated if extra else _BLOCKS.get(block, 0)
    length = at_block + extra + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if not samples or length >= 16 or _crc8(head[:length]) != head[length]:
        return None
    return LastFrame(at, number if head[1] & 1 else number * (usual or samples), samples)


def _crc8(content: bytes) -> int:
    value = 0
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = value << 1 ^ (0x107 if value & 0x80 else 0)
    return value & 0xFF


def _crc16(content: bytes) -> int:
    """0 if the content ends with its own CRC-16, as a whole frame does."""
    value = 0
    for byte in content:
        value ^= byte << 8
        for _ in range(8):
            value = value << 1 ^ (0x18005 if value & 0x8000 else 0)
    return value
