"""Files made of chunks (WAV, RF64, AIFF, CAF, W64, MP4, ASF), and AU, which has but one.

A recorder that was killed never states how long the sound is, a pipe cannot, and a download that
stopped holds less than it states.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mgc.audio.byte_ranges import Content, Piece
from mgc.audio.containers.contents import (
    MIN_FOREIGN,
    Contents,
    SoundPart,
    ends_remark,
    joined,
    size_text,
)

AU = b".snd"
CAF = b"caff\0\1"
W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
#: What is stated for an unknown length.
_UNKNOWN = (0x7FFF_FFFF, 0xFFFF_FFFF, (1 << 63) - 1, (1 << 64) - 1)


@dataclass(frozen=True)
class Layout:
    """How the chunks of a kind of file are written.

    Attributes:
        skip: bytes before the first chunk.
        name: bytes of a chunk's name.
        size: struct format of a chunk's size.
        sound: name of the chunk with the sound; empty if its size is not our business.
        total: (position, format, what to add) of the size of the whole file.
        whole: a chunk's size counts its own name and size.
        align: chunks begin at multiples of so many bytes.
        size_first: the size is before the name.
    """

    skip: int
    name: int
    size: str
    sound: bytes = b""
    total: tuple[int, str, int] | None = None
    whole: bool = False
    align: int = 1
    size_first: bool = False

    @property
    def head(self) -> int:
        """Bytes of a chunk's name and size."""
        return self.name + struct.calcsize(self.size)


_WAV = Layout(12, 4, "<I", b"data", (4, "<I", 8), align=2)
_MP4 = Layout(0, 4, ">I", whole=True, size_first=True)
_LAYOUTS = {
    b"RIFF": _WAV,
    b"RF64": _WAV,
    b"BW64": _WAV,
    b"RIFX": Layout(12, 4, ">I", b"data", (4, ">I", 8), align=2),
    b"FORM": Layout(12, 4, ">I", b"SSND", (4, ">I", 8), align=2),
    b"caff": Layout(8, 4, ">Q", b"data"),
    W64: Layout(40, 16, "<Q", _W64_DATA, (16, "<Q", 0), whole=True, align=8),
    ASF: Layout(0, 16, "<Q", whole=True),
}


def layout_at(content: Content, at: int) -> Layout | None:
    """The layout of the file that begins here; None if no such file does."""
    if content[at + 4 : at + 8] == b"ftyp":
        return _MP4
    start = content[at : at + 16]
    return _LAYOUTS.get(start) or _LAYOUTS.get(start[:4])


@dataclass(frozen=True)
class ChunkFile:
    """A file made of chunks, inside a file.

    Attributes:
        start: its first byte.
        end: behind its last chunk.
        sound: (first, end) of the sound that is there; None if that was not looked for.
        stated: how many bytes of sound it states; None if it states none.
        size_at: where it states that.
        size: struct format of what is there.
        extra: what to add to the size.
        indexed: it has the index that its kind cannot be decoded without.
    """

    start: int
    end: int
    sound: tuple[int, int] | None = None
    stated: int | None = None
    size_at: int = 0
    size: str = "<I"
    extra: int = 0
    indexed: bool = True

    @property
    def length(self) -> int:
        """How many bytes of sound there are."""
        return self.sound[1] - self.sound[0] if self.sound else 0

    @property
    def right(self) -> bool:
        """Is what it states what is there?"""
        return self.stated is None or self.stated == self.length

    @property
    def remark(self) -> str:
        """What it states wrongly; or ""."""
        if not self.indexed:
            return "its index (moov) is missing, as in a file that is cut off"
        if self.right:
            return ""
        stated, there = size_text(self.stated or 0), size_text(self.length)
        return f"the header claims {stated} of sound, {there} are there"

    def pieces(self, content: Content) -> tuple[Piece, ...]:
        """The file with the right size."""
        if self.right:
            return ((self.start, self.end),)
        width = struct.calcsize(self.size)
        right = min(self.length + self.extra, (1 << 8 * width) - 1)
        head = content[self.start : self.size_at] + struct.pack(self.size, right)
        return head, (self.size_at + width, self.end)


def contents(content: Content, at: int, end: int) -> Contents:
    """What is in the files of chunks that follow each other from a position on."""
    found = list(_files(content, at, end))
    behind = end - found[-1].end if found else 0
    remarks = [ends_remark(at, behind), *(one.remark for one in found)]
    parts = [SoundPart(one.pieces(content)) for one in found]
    return joined(
        parts, not at and behind < MIN_FOREIGN and all(one.right for one in found), remarks
    )


def is_file(content: Content, at: int) -> bool:
    """Does a file of chunks begin here?"""
    return content[at : at + 4] == AU or layout_at(content, at) is not None


def _files(content: Content, at: int, end: int) -> Iterator[ChunkFile]:
    """The files of chunks that follow each other from a position on."""
    while at < end and is_file(content, at):
        layout = layout_at(content, at)
        found = _file(content, at, end, layout) if layout else _au(content, at, end)
        yield found
        at = found.end


def _au(content: Content, start: int, end: int) -> ChunkFile:
    """The AU file that begins here; all behind its header is sound, except another AU file."""
    first, stated = struct.unpack_from(">II", content, start + 4)
    first += start
    if content[first + stated : first + stated + 4] == AU:
        end = first + stated
    known = None if stated in _UNKNOWN else stated
    return ChunkFile(start, end, (min(first, end), end), known, start + 8, ">I")


def _file(content: Content, start: int, end: int, layout: Layout) -> ChunkFile:
    found, at = ChunkFile(start, end, indexed=layout is not _MP4), start + layout.skip
    while at + layout.head <= end:
        if at > start and layout_at(content, at):
            return replace(found, end=at)  # another file begins
        name, size_at, size = _chunk(content, at, layout)
        found = replace(found, indexed=found.indexed or name == b"moov")
        first = at + layout.head
        stop = (at if layout.whole else first) + size
        if layout.sound and name == layout.sound:
            found = _with_sound(content, found, layout, size_at, first, stop)
            if found.sound and found.sound[1] == end:
                return found
        elif name == b"ds64" and size >= 16:
            found = replace(found, size_at=first + 8, size="<Q", stated=0)
        elif stop > end or stop <= at or (layout.name == 4 and not name.isascii()):
            return replace(found, end=at) if found.sound else found
        at = max(first, start + -(-(stop - start) // layout.align) * layout.align)
    return found


def _chunk(content: Content, at: int, layout: Layout) -> tuple[bytes, int, int]:
    """(name, position of the size, size) of the chunk that begins here."""
    name_at, size_at = (at + 4, at) if layout.size_first else (at, at + layout.name)
    size: int = struct.unpack_from(layout.size, content, size_at)[0]
    if size == 1 and layout.size_first:  # MP4: a long size is behind the name
        size = int.from_bytes(content[at + 8 : at + 16], "big")
    return content[name_at : name_at + layout.name], size_at, size


def _with_sound(
    content: Content, found: ChunkFile, layout: Layout, size_at: int, first: int, stop: int
) -> ChunkFile:
    """The file with what its chunk of sound states and holds."""
    end, size, stated = found.end, layout.size, max(0, stop - first)
    if found.size == "<Q" and stated == 0xFFFF_FFFF:  # RF64
        size_at, size = found.size_at, "<Q"
        stated = struct.unpack_from("<Q", content, size_at)[0]
        stop = first + stated
    extra = layout.head if layout.whole else 0
    held = stop if stop <= end and _is_end(content, found, layout, first, stop) else end
    unknown = stated + extra in _UNKNOWN
    return replace(
        found,
        sound=(first, held),
        stated=None if unknown else stated,
        size_at=size_at,
        size=size,
        extra=extra,
    )


def _is_end(content: Content, file: ChunkFile, layout: Layout, first: int, stop: int) -> bool:
    """Is there anything else that says that the sound ends here: the end of all, the size of the
    whole, or another chunk?"""
    at = file.start + -(-(stop - file.start) // layout.align) * layout.align
    if at >= file.end or layout_at(content, at):
        return True
    if layout.total and stop > first:
        position, form, more = layout.total
        total = struct.unpack_from(form, content, file.start + position)[0] + more
        if abs(file.start + total - at) <= layout.align:
            return True
    if at + layout.head > file.end:
        return True
    name, _, size = _chunk(content, at, layout)
    known = name.isascii() and name[:3].isalnum() if layout.name == 4 else size >= layout.head
    return known and at + size <= file.end
