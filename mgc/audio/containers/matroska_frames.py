"""Matroska and WebM: the encoded sound, however the file is laid out (RFC 9559).

How blocks of frames are put into clusters, the numbers of tracks, and what else is in the file
follow from who wrote it last.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from mgc.audio.byte_ranges import Content, Piece
from mgc.audio.containers.contents import IrregularError

_SEGMENT, _TRACKS, _CLUSTER = 0x18538067, 0x1654AE6B, 0x1F43B675
_INFO, _SCALE = 0x1549A966, 0x2AD7B1  # the scale of times
_TRACK, _NUMBER, _KIND, _AUDIO = 0xAE, 0xD7, 0x83, 0xE1
_RATE, _CHANNELS = 0xB5, 0x9F
_SOUND = 2  # the kind of a track
_SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK = 0xA3, 0xA0, 0xA1
_LACING = 6  # bits of a block's flags
_PADDING = 0x75A2  # of a block: nanoseconds at its end that are not heard
_CODEC = (0x86, 0x63A2, 0x6D80)  # its name, its own header, encodings
Element = tuple[int, int, int]


def sound(whole: Content, start: int, end: int) -> Iterator[Piece]:
    """What makes the first track of sound: its codec and frames.

    Raises IrregularError, struct.error or IndexError if the file is not as the standard says.
    """
    top = [each for each in elements(whole, start, end) if each[0] == _SEGMENT]
    if len(top) != 1:
        raise IrregularError
    number = None
    for name, first, stop in elements(whole, *top[0][1:]):
        if name == _INFO:
            for inner, at, to in elements(whole, first, stop):
                if inner == _SCALE:
                    yield whole[at:to].lstrip(b"\0")
        elif name == _TRACKS:
            track = _first_sound(whole, first, stop)
            number = _number_in(whole, track, _NUMBER)
            yield from _codec(whole, track)
        elif name == _CLUSTER:
            if number is None:
                raise IrregularError
            yield from _frames(whole, first, stop, number)


def elements(whole: Content, at: int, end: int) -> Iterator[Element]:
    """(name, start of the content, end) of the elements between two positions."""
    while at < end:
        name, behind, _ = _vint(whole, at)
        size, first, largest = _vint(whole, behind)
        size &= largest
        at = first + size
        if size == largest or at > end:  # of unknown size, or cut off
            raise IrregularError
        yield name, first, at


def _vint(whole: Content, at: int) -> tuple[int, int, int]:
    """(with the bit that tells its length, end, the largest without that bit) of a number."""
    count = 9 - whole[at].bit_length()
    if count > 8:
        raise IrregularError
    return int.from_bytes(whole[at : at + count], "big"), at + count, (1 << 7 * count) - 1


def _first_sound(whole: Content, at: int, end: int) -> Sequence[Element]:
    for name, first, stop in elements(whole, at, end):
        if name == _TRACK:
            track = list(elements(whole, first, stop))
            if _number_in(whole, track, _KIND) == _SOUND:
                return track
    raise IrregularError


def _number_in(whole: Content, inside: Sequence[Element], wanted: int) -> int:
    for name, first, stop in inside:
        if name == wanted:
            return int.from_bytes(whole[first:stop], "big")
    raise IrregularError


def _codec(whole: Content, track: Sequence[Element]) -> Iterator[Piece]:
    for wanted in _CODEC:
        for name, first, stop in track:
            if name == wanted:
                yield name.to_bytes(4, "big")
                yield first, stop
    for name, first, stop in track:
        if name == _AUDIO:
            form = list(elements(whole, first, stop))
            channels = _number_in(whole, form, _CHANNELS)
            yield b"".join(
                struct.pack(">Bd", channels, _real(whole[at:to]))
                for name, at, to in form
                if name == _RATE
            )


def _real(number: bytes) -> float:
    return float(struct.unpack(">f" if len(number) == 4 else ">d", number)[0])


def _frames(whole: Content, at: int, end: int, track: int) -> Iterator[Piece]:
    for name, first, stop in elements(whole, at, end):
        if name == _SIMPLE_BLOCK:
            yield from _block(whole, first, stop, track)
        elif name == _BLOCK_GROUP:
            for inner, begin, until in elements(whole, first, stop):
                if inner == _BLOCK:
                    yield from _block(whole, begin, until, track)
                elif inner == _PADDING:
                    yield whole[begin:until].lstrip(b"\0")


def _block(whole: Content, at: int, end: int, track: int) -> Iterator[Piece]:
    """How frames are put together in it, and the frames."""
    number, at, largest = _vint(whole, at)
    if number & largest == track:
        yield struct.pack(">BI", whole[at + 2] & _LACING, end - at)
        yield at + 3, end
