"""MPEG audio (mp3, mp2): frames counted, foreign bytes left out, streams told apart.

ISO/IEC 11172-3 and 13818-3 for the frame header; the Xing header as LAME writes it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from mgc.audio.byte_ranges import Content, Piece
from mgc.audio.containers.contents import (
    MIN_FOREIGN,
    Contents,
    SoundPart,
    claim_remark,
    ends_remark,
    gaps_remark,
    joined,
)

# kbit/s by index 1 to 14; version 1 has its own tables per layer, 2 and 2.5 share theirs.
_KBITS_V1 = {
    1: (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_KBITS_V2 = {1: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256), 2: _LOW, 3: _LOW}
_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
#: The bits of a header that make a frame's length and form: sync, version, layer, rates, padding,
#: and the channel mode.
_FORM = 0xFFFE_FEC0
SEARCHED = 1 << 20  # bytes of something else that may be in front
_CONFIRMING = 3  # frames of one form in a row: by chance once in 2⁴⁵ positions
_TAGS = (b"Xing", b"Info")
_word = struct.Struct(">I").unpack_from
_LENGTHS = [(kbits, padding) for kbits in range(1, 15) for padding in (0, 1)]


class Frame(NamedTuple):
    """What a frame's header says: length in bytes, samples, (layer, rate in Hz, channels)."""

    size: int
    samples: int
    form: tuple[int, int, int]
    tag: int  # where a Xing header begins, behind the side information


@dataclass
class MpegStream:
    """Frames of one form, to be decoded together.

    Attributes:
        first: the first frame that holds sound.
        xing: the frame with the Xing header; empty if there is none.
        ranges: where the other frames are.
        frames: how many there are.
    """

    first: Frame
    xing: bytes = b""
    ranges: list[tuple[int, int]] = field(default_factory=list)
    frames: int = 0

    @property
    def seconds(self) -> float:
        """How long the sound is, without the encoder's delay and padding."""
        return self._seconds(self.frames, padded=self.xing_right)

    def _seconds(self, frames: float, *, padded: bool) -> float:
        at = delay_at(self.xing, self.first)
        trim = int.from_bytes(self.xing[at : at + 3], "big") if at else 0
        samples = frames * self.first.samples - (trim >> 12) - (trim & 0xFFF) * padded
        return max(0.0, samples / self.first.form[1])

    @property
    def size(self) -> int:
        """How many bytes the frames have."""
        return sum(end - start for start, end in self.ranges)

    @property
    def xing_right(self) -> bool:
        """Does it have a Xing header that states its number of frames?"""
        claim = xing_claim(self.xing, self.first)
        return claim is not None and claim[0] == self.frames

    @property
    def claim_remark(self) -> str:
        """The remark on the length that its Xing header states, or that a decoder guesses from the
        first frame's bit rate."""
        claim = xing_claim(self.xing, self.first)
        frames = claim[0] if claim else self.size / self.first.size
        claimed = self._seconds(frames, padded=True)
        return claim_remark(claimed, self.seconds, guessed=not claim)

    @property
    def run_up(self) -> float:
        """How many seconds libmpg123 must begin before the place it is asked for.

        It goes back by 4 frames, but a frame may use up to 511 bytes of earlier ones (255 at the
        low sample rates), which at low bit rates are in more: without them up to a second is
        wrong.
        """
        layer, rate, _ = self.first.form
        reservoir = 511 if rate >= 32_000 else 255
        frames = reservoir / max(1.0, self.size / self.frames - self.first.tag)
        enough = layer != 3 or frames <= 3
        return 0.0 if enough else (1.5 * frames + 4) * self.first.samples / rate

    def pieces(self, content: Content) -> tuple[Piece, ...]:
        """The stream as a file of its own, with a Xing header that states the right length."""
        claim = xing_claim(self.xing, self.first)
        if self.first.form[0] != 3:
            return tuple(self.ranges)
        if claim is None:
            start = self.ranges[0][0]
            head = _new_xing(content[start : start + 4], self.first, self.frames, self.size)
        elif self.xing_right:
            head = self.xing
        else:
            head = _corrected(self.xing, self.first, self.frames, self.size)
        return (head, *self.ranges)


def contents(content: Content, start: int, end: int) -> Contents | None:
    """What is between two positions; None if it is not MPEG audio, or only for its smaller part."""
    at = start_of_frames(content, start, min(end, start + SEARCHED))
    if at is None:
        return None
    found = streams(content, at, end)
    if 2 * sum(stream.size for stream in found) < end - start:
        return None  # frames inside of something else, such as a film
    first, last = found[0], found[-1]
    front = first.ranges[0][0] - len(first.xing) - start
    behind = end - last.ranges[-1][1]
    remarks = [first.claim_remark, ends_remark(front, behind)]
    remarks += [gaps_remark(stream.ranges, stream.seconds) for stream in found]
    right = first.xing_right or (not first.xing and behind < MIN_FOREIGN)
    intact = right and front < MIN_FOREIGN and len(first.ranges) == 1
    parts = [SoundPart(stream.pieces(content), stream.seconds, stream.run_up) for stream in found]
    return joined(parts, intact, remarks)


_frames: dict[int, Frame | None] = {}


def frame_at(content: Content, at: int) -> Frame | None:
    """The frame whose header is at this position; None if there is no header."""
    key = _word(content, at)[0] & _FORM
    if key not in _frames:
        _frames[key] = _frame(key)
    return _frames[key]


def _frame(header: int) -> Frame | None:
    version, layer = header >> 19 & 3, 4 - (header >> 17 & 3)
    kbits, rate, padding = header >> 12 & 15, header >> 10 & 3, header >> 9 & 1
    if header >> 21 != 0x7FF or version == 1 or layer == 4 or kbits in (0, 15) or rate == 3:
        return None
    hertz = _HZ[version][rate]
    bits = 1_000 * (_KBITS_V1 if version == 3 else _KBITS_V2)[layer][kbits - 1]
    channels = 1 if header >> 6 & 3 == 3 else 2
    form = layer, hertz, channels
    tag = 4 + ((17, 32) if version == 3 else (9, 17))[channels - 1]
    if layer == 1:
        return Frame(4 * (12 * bits // hertz + padding), 384, form, tag)
    samples = 576 if layer == 3 and version != 3 else 1_152
    return Frame(samples // 8 * bits // hertz + padding, samples, form, tag)


def streams(content: Content, at: int, end: int) -> list[MpegStream]:
    """The streams between two positions: a new one where the form changes or a Xing header is."""
    found: list[MpegStream] = []
    for start, stop, first, count in _stretches(content, at, end):
        xing = content[start : start + first.size] if is_xing(content, start, first) else b""
        if not found or xing or first.form != found[-1].first.form:
            found.append(MpegStream(first, xing))
        stream, body = found[-1], start + len(xing)
        if body < stop:
            if not stream.frames:
                stream.first = frame_at(content, body) or first
            stream.ranges.append((body, stop))
            stream.frames += count - bool(xing)
    return [stream for stream in found if stream.frames]


def _stretches(content: Content, at: int, end: int) -> Iterator[tuple[int, int, Frame, int]]:
    """(start, end, first frame, frames) where whole frames of one form follow each other; a Xing
    header begins another one."""
    while (start := start_of_frames(content, at, end)) is not None:
        first = frame_at(content, start)
        if first is None:
            return
        at, count = start + first.size, 1
        for frames, pattern in _frames_in_a_row(_word(content, start)[0] & _FORM):
            while found := pattern.match(content, at, end):
                at, count = found.end(), count + frames
        yield start, at, first, count


@cache
def _frames_in_a_row(header: int) -> list[tuple[int, re.Pattern[bytes]]]:
    """(n, pattern of n frames of this header's form, none with a Xing header), largest n first.

    A pattern walks through them four times as fast as a loop.
    """
    first = _frame(header)
    if first is None:
        return []
    others = (header & ~0xF200 | kbits << 12 | padding << 9 for kbits, padding in _LENGTHS)
    # The likeliest first: the first frame's bit rate, then the high ones.
    likely = sorted(others, key=lambda other: ((other ^ header) & 0xF000 != 0, -other))
    mode = b"[\xc0-\xff]" if first.form[2] == 1 else b"[\0-\xbf]"
    sizes = ((_one_of(h >> 8 & 0xFE), frame.size - 3) for h in likely if (frame := _frame(h)))
    lengths = b"|".join(b"%s.{%d}" % both for both in sizes)
    # Beside a Xing header, the side information is all zero.
    xing = b"..\0{4}.{%d}(?:%s)" % (first.tag - 8, b"|".join(_TAGS))
    one = b"\xff%s(?=.%s)(?!%s)(?:%s)" % (_one_of(header >> 16 & 0xFE), mode, xing, lengths)
    return [(n, re.compile(b"(?>%s){%d}" % (one, n), re.DOTALL)) for n in (64, 1)]


def _one_of(byte: int) -> bytes:
    """A pattern of an even byte and the next."""
    return b"[\\x%02x\\x%02x]" % (byte, byte + 1)


def start_of_frames(content: Content, at: int, end: int) -> int | None:
    """Where the next frames begin: several of one form in a row, or the last ones."""
    while 0 <= at <= end - 4:
        if content[at] == 0xFF and _confirmed(content, at, end):
            return at
        at = content.find(b"\xff", at + 1, end)
    return None


def _confirmed(content: Content, at: int, end: int) -> bool:
    form = None
    for _ in range(_CONFIRMING):
        frame = frame_at(content, at)
        if frame is None or frame.form != (form or frame.form) or at + frame.size > end:
            return False
        form = frame.form
        at += frame.size
        if at + 4 > end:
            return True
    return True


def is_xing(content: Content, at: int, frame: Frame) -> bool:
    """Does the frame hold a Xing header instead of sound?"""
    return content[at + frame.tag : at + frame.tag + 4] in _TAGS


def xing_claim(xing: bytes, frame: Frame) -> tuple[int, int] | None:
    """(frames, bytes including its own) that a Xing header states; None if it states not both."""
    if len(xing) < frame.tag + 16 or xing[frame.tag + 7] & 3 != 3:
        return None
    frames, size = struct.unpack_from(">II", xing, frame.tag + 8)
    return frames, size


def _new_xing(header: bytes, first: Frame, frames: int, size: int) -> bytes:
    """A frame with a Xing header, at the highest bit rate and without CRC, so that it has room."""
    head = bytes([header[0], header[1] | 1, 0xE0 | header[2] & 0x0C, header[3]])
    frame = frame_at(head, 0) or first
    body = (
        head + bytes(frame.tag - 4) + struct.pack(">4sIII", b"Xing", 3, frames, size + frame.size)
    )
    return body.ljust(frame.size, b"\0")


def _corrected(xing: bytes, first: Frame, frames: int, size: int) -> bytes:
    """The header with the right length; the encoder's delay stays, its padding at the end goes."""
    made = bytearray(xing)
    struct.pack_into(">II", made, first.tag + 8, frames, size + len(xing))
    if at := delay_at(xing, first):
        made[at + 1] &= 0xF0
        made[at + 2] = 0
    return bytes(made)


def delay_at(xing: bytes, frame: Frame) -> int:
    """Where LAME states delay and padding, 12 bits each, in samples; 0 if it does not."""
    at = frame.tag + 16 + 104 + 21
    return at if len(xing) >= at + 3 and xing[frame.tag + 7] & 15 == 15 else 0
