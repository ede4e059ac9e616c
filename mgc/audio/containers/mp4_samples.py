"""MP4, M4A and QuickTime: the encoded sound, however the file is laid out (ISO/IEC 14496-12).

A sample here is what a decoder takes at once, some ten milliseconds of sound. Where samples are, in
which boxes or fragments, and what else is in the file, follows from who wrote it last.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from mgc.audio.byte_ranges import Content, Piece
from mgc.audio.containers.contents import IrregularError

_HIDDEN = re.compile(rb"iTunSMPB.{4}data.{8}((?: [0-9A-Fa-f]{8,16}){4})", re.DOTALL)
#: Bytes of a sample entry before its boxes, by its version (QuickTime has 1 and 2).
_ENTRY_BYTES = {0: 28, 1: 44, 2: 64}
_BIT_RATE, _WAVE, _DESCRIPTOR = b"btrt", b"wave", b"esds"
_NO_EDIT = (0, 1 << 16, 0)
Box = tuple[int, int]


@dataclass(frozen=True)
class _Layout:
    """Where samples are: how many (count) of one size in bytes (size) follow each other, and the
    (first, end) of what holds them, in order."""

    runs: list[tuple[int, int]]
    ranges: list[Box]


def sound(whole: Content) -> Iterator[Piece]:
    """What makes the first track of sound: its codec, edits and samples.

    Raises IrregularError, struct.error or IndexError if the file is not as the standard says.
    """
    moov = _only(whole, (0, len(whole)), b"moov")
    track = _first_sound(whole, moov)
    media = _only(whole, track, b"mdia")
    table = _only(whole, _only(whole, media, b"minf"), b"stbl")
    yield from _codec(whole, _only(whole, table, b"stsd"))
    layout = _layout(whole, table)
    if fragments := _inside(whole, (0, len(whole)), b"moof"):
        head = _only(whole, track, b"tkhd")
        number = _word(whole, head, 20 if whole[head[0]] else 12)
        layout = _with_fragments(whole, moov, number, fragments, layout)
    if not layout.ranges:
        raise IrregularError
    edits = [_only(whole, box, b"elst") for box in _inside(whole, track, b"edts")]
    clocks = _only(whole, moov, b"mvhd"), _only(whole, media, b"mdhd")
    lasting = _only(whole, table, b"stts")
    yield repr(_times(whole, clocks, lasting, edits, sum(n for _, n in layout.runs))).encode()
    hidden = _HIDDEN.search(whole, *moov)
    yield hidden[1].upper() if hidden else b""
    yield _merged(layout.runs)
    yield from layout.ranges


def boxes(whole: Content, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, start of the content, end) of the boxes between two positions."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", whole, at)
        first = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", whole, first)
            first += 8
        stop = at + size if size else end
        if not first <= stop <= end:
            raise IrregularError
        yield name, first, stop
        at = stop


def _inside(whole: Content, box: Box, name: bytes) -> list[Box]:
    return [(first, stop) for found, first, stop in boxes(whole, *box) if found == name]


def _only(whole: Content, box: Box, name: bytes) -> Box:
    found = _inside(whole, box, name)
    if len(found) != 1:
        raise IrregularError
    return found[0]


def _word(whole: Content, box: Box, at: int) -> int:
    return int(struct.unpack_from(">I", whole, box[0] + at)[0])


def _first_sound(whole: Content, moov: Box) -> Box:
    for track in _inside(whole, moov, b"trak"):
        kind = _only(whole, _only(whole, track, b"mdia"), b"hdlr")[0] + 8
        if whole[kind : kind + 4] == b"soun":
            return track
    raise IrregularError


def _codec(whole: Content, box: Box) -> Iterator[Piece]:
    """The sample entry, without bit rates."""
    entries = list(boxes(whole, box[0] + 8, box[1]))
    if len(entries) != 1 or _word(whole, box, 4) != 1:
        raise IrregularError
    name, first, stop = entries[0]
    (version,) = struct.unpack_from(">H", whole, first + 8)
    yield name
    yield first + 16, first + 28
    yield from _codec_boxes(whole, first + _ENTRY_BYTES.get(version, 28), stop)


def _codec_boxes(whole: Content, at: int, end: int) -> Iterator[Piece]:
    for name, first, stop in boxes(whole, at, end):
        if name == _WAVE:
            yield from _codec_boxes(whole, first, stop)
        elif name == _DESCRIPTOR:
            yield from _descriptor(whole, first + 4, stop)
        elif name != _BIT_RATE:
            yield name
            yield first, stop


def _descriptor(whole: Content, at: int, end: int) -> Iterator[Piece]:
    """What an elementary stream's descriptor says of the codec (ISO/IEC 14496-1, 7.2.6)."""
    while at < end:
        tag, at, size = whole[at], at + 1, 0
        while whole[at] & 0x80:
            size, at = size << 7 | whole[at] & 0x7F, at + 1
        size, at = size << 7 | whole[at], at + 1
        if tag == 3:  # the stream; in it are the others
            flags, at = whole[at + 2], at + 3
            at += 2 * (flags >> 7) + (1 + whole[at]) * (flags >> 6 & 1) + 2 * (flags >> 5 & 1)
        elif tag == 4:  # the kind of codec; buffer and bit rates are left out
            yield at, at + 1
            at += 13
        else:
            if tag == 5:  # the codec's own header
                yield at, at + size
            at += size
    if at != end:
        raise IrregularError


def _times(
    whole: Content, clocks: tuple[Box, Box], lasting: Box, edits: list[Box], samples: int
) -> list[Any]:
    """What counts as a second (of the film, of the track), how long samples last, and the edits.

    Of each edit: where it begins in the track (-1: nothing is heard), its speed, and the nearest
    end of a sample to its own (0: the last one), as writers round times.
    """
    units, rate = (_timescale(whole, clock) for clock in clocks)
    rows = _words(whole, lasting[0] + 8, 2 * _word(whole, lasting, 4), ">u4").reshape(-1, 2)
    step = int(rows[0, 1]) if len(rows) else 0
    found: list[Any] = [rate, _merged(_all_but_last([(step, n) for n, step in rows.tolist()]))]
    for box in edits:
        form = struct.Struct(">QqI" if whole[box[0]] else ">IiI")
        for number in range(_word(whole, box, 4)):
            lasts, begin, speed = form.unpack_from(whole, box[0] + 8 + number * form.size)
            end = round((max(begin, 0) + lasts * rate / units) / (step or math.inf))
            found.append((begin, speed, end if end < samples and lasts else 0))
    return found[:-1] if found[2:] == [_NO_EDIT] else found


def _all_but_last(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Writers differ in how long the last sample lasts."""
    return [*runs[:-1], *((size, count - 1) for size, count in runs[-1:] if count > 1)]


def _timescale(whole: Content, box: Box) -> int:
    return _word(whole, box, 20 if whole[box[0]] else 12) or 1


def _layout(whole: Content, table: Box) -> _Layout:
    """The samples of the tables in a box ``stbl``."""
    box = _only(whole, table, b"stsz")
    same, count = _word(whole, box, 4), _word(whole, box, 8)
    places = [(place, ">u4") for place in _inside(whole, table, b"stco")]
    places += [(place, ">u8") for place in _inside(whole, table, b"co64")]
    if len(places) != 1:
        raise IrregularError
    [(offsets, kind)] = places
    begins = _words(whole, offsets[0] + 8, _word(whole, offsets, 4), kind)
    ends = _last_samples(whole, _only(whole, table, b"stsc"), len(begins))
    if (int(ends[-1]) if len(ends) else 0) != count:
        raise IrregularError
    if same:
        runs, totals = [(same, count)], same * ends
    else:
        sizes = _words(whole, box[0] + 12, count, ">u4")
        runs, totals = _runs(sizes), np.append(0, np.cumsum(sizes))[ends]
    pairs = zip(begins.tolist(), np.diff(totals, prepend=0).tolist(), strict=True)
    return _Layout(runs, [_within(whole, at, at + size) for at, size in pairs])


def _last_samples(whole: Content, box: Box, count: int) -> np.ndarray:
    """(chunk,) how many samples there are up to the end of each chunk."""
    rows = _words(whole, box[0] + 8, 3 * _word(whole, box, 4), ">u4").reshape(-1, 3)
    chunks = np.diff(rows[:, 0], append=count + 1)
    if (len(rows) and (rows[0, 0] != 1 or chunks.min() < 0)) or chunks.sum() != count:
        raise IrregularError
    if (rows[:, 2] != 1).any():  # the number of the sample entry
        raise IrregularError
    return np.cumsum(np.repeat(rows[:, 1], chunks))


def _words(whole: Content, at: int, count: int, kind: str) -> np.ndarray:
    end = at + count * np.dtype(kind).itemsize
    if end > len(whole):
        raise IrregularError
    return np.frombuffer(whole[at:end], kind).astype(np.int64)


def _runs(sizes: np.ndarray) -> list[tuple[int, int]]:
    begins = np.flatnonzero(np.diff(sizes, prepend=-1))
    counts = np.diff(begins, append=len(sizes))
    return list(zip(sizes[begins].tolist(), counts.tolist(), strict=True))


def _merged(runs: Iterable[tuple[int, int]]) -> bytes:
    """Each size and how often it comes in a row."""
    rows = groupby(runs, key=itemgetter(0))
    return b"".join(struct.pack("<QQ", size, sum(n for _, n in some)) for size, some in rows)


def _within(whole: Content, first: int, end: int) -> Box:
    if not 0 <= first <= end <= len(whole):
        raise IrregularError
    return first, end


def _with_fragments(
    whole: Content, moov: Box, track: int, fragments: Iterable[Box], before: _Layout
) -> _Layout:
    """The same with the samples in fragments."""
    usual = 0
    for more in _inside(whole, moov, b"mvex"):
        for box in _inside(whole, more, b"trex"):
            usual = _word(whole, box, 16) if _word(whole, box, 4) == track else usual
    runs, ranges = list(before.runs), list(before.ranges)
    for fragment in fragments:
        for part in _inside(whole, fragment, b"traf"):
            head = _only(whole, part, b"tfhd")
            if _word(whole, head, 4) != track:
                continue
            base, size = _fragment_head(whole, head, fragment[0] - 8, usual)
            after = base
            for run in _inside(whole, part, b"trun"):
                found, at = _run(whole, run, size)
                first = after if at is None else base + at
                after = first + sum(size * count for size, count in found)
                runs += found
                ranges.append(_within(whole, first, after))
    return _Layout(runs, ranges)


def _fragment_head(whole: Content, head: Box, start: int, usual: int) -> tuple[int, int]:
    """(where its data is counted from, the usual size of a sample)."""
    flags, at = _word(whole, head, 0), 8
    base = struct.unpack_from(">Q", whole, head[0] + at)[0] if flags & 1 else start
    at += 8 * (flags & 1) + 4 * (flags >> 1 & 1) + 4 * (flags >> 3 & 1)
    return base, _word(whole, head, at) if flags & 0x10 else usual


def _run(whole: Content, run: Box, size: int) -> tuple[list[tuple[int, int]], int | None]:
    """(the runs of its samples, where they begin if it says so)."""
    flags, count = _word(whole, run, 0), _word(whole, run, 4)
    begins = struct.unpack_from(">i", whole, run[0] + 8)[0] if flags & 1 else None
    columns = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    if 0x200 not in columns:
        return [(size, count)], begins
    at = run[0] + 8 + 4 * (flags & 1) + 4 * (flags >> 2 & 1)
    rows = _words(whole, at, count * len(columns), ">u4").reshape(count, -1)
    return _runs(rows[:, columns.index(0x200)]), begins
