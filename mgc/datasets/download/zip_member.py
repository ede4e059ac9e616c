"""Reads one member of a zip in small steps, so that no member can take more than it announces.

zipfile's own reader inflates a bzip2 chunk whole: 4 kB of it can hold 4 GB.
"""

from __future__ import annotations

import bz2
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

CHUNK = 256 << 10  # bytes taken at once, packed and unpacked
LOCAL_HEADER = 30  # bytes before the name in a member's own header (APPNOTE 4.3.7)


class Damaged(Exception):  # noqa: N818 - never shown as it is: a fault of a member
    """A member's bytes are not what its header says."""


def content(archive: Any, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """A member's bytes, never more than its header announces, checked against its CRC-32.

    Args:
        archive: the zip, open for reading bytes.
        member: one of its members, packed by one of `METHODS`.

    Raises:
        Damaged: while iterating, where the bytes are not what the headers say.
    """
    crc, left = 0, member.file_size
    for chunk in _inflated(_packed(archive, member), METHODS[member.compress_type]()):
        if len(chunk) > left:
            raise Damaged(f"holds more than the {member.file_size:,} bytes that its header says")
        left -= len(chunk)
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if left:
        raise Damaged(f"ends {left:,} bytes early")
    if crc != member.CRC:
        raise Damaged("its CRC-32 differs")


def _packed(archive: Any, member: zipfile.ZipInfo) -> Iterator[bytes]:
    archive.seek(member.header_offset)
    header = archive.read(LOCAL_HEADER)
    if len(header) < LOCAL_HEADER or header[:4] != b"PK\x03\x04":
        raise Damaged("its header is not where it should be")
    name, extra = struct.unpack("<HH", header[26:30])
    archive.seek(name + extra, os.SEEK_CUR)
    left = member.compress_size
    while left:
        chunk = archive.read(min(CHUNK, left))
        if not chunk:
            raise Damaged("the zip ends in the middle of it")
        left -= len(chunk)
        yield chunk


def _inflated(packed: Iterator[bytes], decompressor: Any) -> Iterator[bytes]:
    """Chunks of at most `CHUNK` bytes."""
    try:
        for data in packed:
            yield from decompressor.chunks(data)
        yield decompressor.rest()
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise Damaged(str(error)) from error


class _Stored:
    def chunks(self, data: bytes) -> Iterator[bytes]:
        yield data

    def rest(self) -> bytes:
        return b""


class _Deflated:
    def __init__(self) -> None:
        self.inner = zlib.decompressobj(-zlib.MAX_WBITS)

    def chunks(self, data: bytes) -> Iterator[bytes]:
        while data and not self.inner.eof:
            yield self.inner.decompress(data, CHUNK)
            data = self.inner.unconsumed_tail

    def rest(self) -> bytes:
        # Input may be used up while the copy of a repeated string is still under way.
        return self.inner.flush()


class _Bzip2:
    def __init__(self) -> None:
        self.inner = bz2.BZ2Decompressor()

    def chunks(self, data: bytes) -> Iterator[bytes]:
        while not self.inner.eof:
            yield self.inner.decompress(data, CHUNK)
            data = b""
            if self.inner.needs_input:
                return

    def rest(self) -> bytes:
        return b""


METHODS: Mapping[int, Any] = {
    zipfile.ZIP_STORED: _Stored,
    zipfile.ZIP_DEFLATED: _Deflated,
    zipfile.ZIP_BZIP2: _Bzip2,
}
