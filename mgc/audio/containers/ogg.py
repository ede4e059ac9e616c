"""Ogg: pages counted by their granule positions, chained streams told apart (RFC 3533)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from mgc.audio.byte_ranges import Content
from mgc.audio.containers.contents import Contents, SoundPart, ends_remark, gaps_remark, joined

MAGIC = b"OggS"
_header = struct.Struct(
    "<4sBBqIIIB"
)  # magic, version, flags, granule, serial, number, CRC, segments
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ONES = 0xFFFFFFFF
_BEGINS, ENDS = 2, 4  # flags of the first and the last page


@dataclass
class Link:
    """One of the streams that follow each other in a file.

    Attributes:
        ranges: where its pages are.
        serial: of the stream that holds sound; None if none is known.
        rate: what granules count, per second.
        skip: granules before the sound begins.
        granule: the position that its last page states.
    """

    ranges: list[tuple[int, int]] = field(default_factory=list)
    serial: int | None = None
    rate: int = 0
    skip: int = 0
    granule: int = 0

    @property
    def seconds(self) -> float | None:
        """How long it lasts; None if its codec is unknown."""
        return max(0, self.granule - self.skip) / self.rate if self.rate else None


def contents(content: Content, at: int, end: int) -> Contents:
    """What is in the Ogg file that begins at a position."""
    found = links(content, at, end)
    last = found[-1].ranges[-1][1] if found else end
    cut = content[last : last + 4] == MAGIC
    remarks = [ends_remark(at, 0 if cut else end - last), "its last page is cut off" if cut else ""]
    remarks += [gaps_remark(link.ranges, link.seconds or 0.0) for link in found]
    parts = [SoundPart(tuple(link.ranges), link.seconds) for link in found]
    return joined(parts, not at and len(found[0].ranges) == 1 if found else False, remarks)


def links(content: Content, at: int, end: int) -> list[Link]:
    """The streams from a position on."""
    found: list[Link] = []
    begins_before = False
    for start, stop, packet, flags, granule, serial in pages(content, at, end):
        begins = bool(flags & _BEGINS)
        if not found or (begins and not begins_before):
            found.append(Link())
        begins_before, link = begins, found[-1]
        if begins and link.serial is None and (codec := _codec(content[packet : packet + 64])):
            link.serial, (link.rate, link.skip) = serial, codec
        if serial == link.serial:
            link.granule = max(link.granule, granule)
        if link.ranges and link.ranges[-1][1] == start:
            link.ranges[-1] = link.ranges[-1][0], stop
        else:
            link.ranges.append((start, stop))
    return found


def pages(content: Content, at: int, end: int) -> Iterator[tuple[int, int, int, int, int, int]]:
    """(start, end, start of the first packet, flags, granule, serial) of every whole page."""
    while at + _header.size <= end:
        magic, version, flags, granule, serial, _, _, segments = _header.unpack_from(content, at)
        packet = at + _header.size + segments
        stop = packet + sum(content[at + _header.size : packet])
        if magic == MAGIC and not version and stop <= end:
            yield at, stop, packet, flags, granule, serial
            at = stop
        elif (at := content.find(MAGIC, at + 1, end)) < 0:
            return


def is_intact(content: Content, at: int, stop: int) -> bool:
    """Whether a page has the checksum that it states: CRC-32, its bits the other way round than
    zlib's. A decoder leaves out a page that has not."""
    page = content[at : at + 22] + bytes(4) + content[at + 26 : stop]
    found = zlib.crc32(page.translate(_REVERSED), _ONES) ^ _ONES
    stated = content[at + 22 : at + 26].translate(_REVERSED)
    return found == int.from_bytes(stated, "big")


def _codec(packet: bytes) -> tuple[int, int] | None:
    """(granules per second, granules to skip) of a stream, from its first packet."""
    if packet[:7] == b"\x01vorbis":
        return struct.unpack_from("<I", packet, 12)[0], 0
    if packet[:8] == b"OpusHead":
        return 48_000, struct.unpack_from("<H", packet, 10)[0]
    if packet[:5] == b"\x7fFLAC":
        return struct.unpack_from(">I", packet, 27)[0] >> 12, 0
    if packet[:8] == b"Speex   ":
        return struct.unpack_from("<I", packet, 36)[0], 0
    return None
