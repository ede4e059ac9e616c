"""Unpacks a zip that a stranger made: safely, member by member, so that it can be taken up again.

Every name is checked before a byte is written: nothing leaves the target folder, links and devices
are refused, and so is an archive that swells beyond what music can. A member is written under a
temporary name, checked against its CRC-32 and the ``checksums`` list, then renamed; a second call
does only what is missing and comes to the same tree.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mgc.datasets.published import MEGABYTE, Meter, need_space
from mgc.errors import MgcError
from mgc.progress import Progress, Silent

CHUNK = 256 << 10  # bytes taken at once, packed and unpacked
#: Text tables shrink to a tenth, music not at all; a hundredfold is an attack on the disk.
LARGEST_RATIO = 100
LOCAL_HEADER = 30  # bytes before the name in a member's own header (APPNOTE 4.3.7)
WORKERS = max(1, min(8, os.cpu_count() or 1))  # bz2 and zlib work outside of Python's lock


@dataclass(frozen=True)
class Unpacked:
    """What came of it: files written, files that were there, and bad files with the reason."""

    written: int
    found: int
    faults: dict[str, str]


def members(path: Path) -> list[zipfile.ZipInfo]:
    """The files of a zip, every one of them safe to write below some folder.

    Raises MgcError where it is no whole zip, or a name leads outside, is a link or comes twice,
    or where the sizes cannot be true.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        raise MgcError(
            f"{path} is no whole zip ({error}).",
            "Fetch it again, or give another with --from FILE.",
        ) from error
    seen: set[str] = set()
    for member in found:
        _safe(path, member, seen)
    size = sum(member.file_size for member in found)
    if size > LARGEST_RATIO * path.stat().st_size:
        raise MgcError(
            f"{path} claims to unpack to {size:,} bytes, more than {LARGEST_RATIO} times its size: "
            f"that is no music. Nothing was written."
        )
    return found


def _safe(path: Path, member: zipfile.ZipInfo, seen: set[str]) -> None:
    name = member.filename
    parts = PurePosixPath(name).parts
    kind = stat.S_IFMT(member.external_attr >> 16)
    reason = ""
    if name.startswith("/") or "\\" in name or ":" in parts[0] or ".." in parts:
        reason = "leads outside of its folder"
    elif kind not in (0, stat.S_IFREG):
        reason = "is no plain file (a link or a device)"
    elif member.flag_bits & 1:
        reason = "is encrypted"
    elif name.casefold() in seen:
        reason = "comes twice"
    elif member.compress_type not in _DECOMPRESSORS:
        reason = f"is packed by an unknown method ({member.compress_type})"
    if reason:
        raise MgcError(
            f"{path} is not safe to unpack: its member {name!r} {reason}. Nothing was written.",
            "Get the archive from its publisher.",
        )
    seen.add(name.casefold())


def read_member(path: Path, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a small member. Raises MgcError where they are damaged."""
    try:
        with open(path, "rb") as file:
            return b"".join(_content(file, member))
    except _Damaged as error:
        raise MgcError(f"{path}: member {member.filename!r} is damaged ({error}).") from error


def unpack(
    path: Path,
    target: Path,
    *,
    wanted: Callable[[str], bool] = lambda name: True,
    checksums: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Unpacked:
    """Write the wanted members of a zip below ``target``; what is there and right stays.

    Args:
        path: the zip.
        target: the folder.
        wanted: which member names to write.
        checksums: SHA-1 in hex by member name; a file that differs is a fault.
        progress: told of megabytes.

    Returns:
        Counts, and each member that is damaged or differs, with the reason; a damaged one is not
        left on disk, one that differs from ``checksums`` but not from the zip is.

    Raises:
        MgcError: see `members`; or the disk has no room.
    """
    chosen = [member for member in members(path) if wanted(member.filename)]
    missing = [m for m in chosen if not _is_there(target / m.filename, m.file_size)]
    need_space(target, sum(m.file_size for m in missing), f"Unpacking {path.name}")
    total = sum(member.file_size for member in chosen) // MEGABYTE
    written, faults = 0, {}
    with (progress or Silent()).task(f"unpacking {path.name}", total, "MB") as task:
        meter = Meter(task)
        work = _Member(path, target, checksums or {})
        with ThreadPoolExecutor(WORKERS) as pool:
            for member, (new, fault) in zip(chosen, pool.map(work, chosen), strict=True):
                written += new
                if fault:
                    faults[member.filename] = fault
                meter.add(member.file_size)
    return Unpacked(written, len(chosen) - written - len(faults), faults)


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


class _Damaged(Exception):  # noqa: N818 - caught here, becomes a fault or an MgcError
    """A member's bytes are not what its header says."""


@dataclass(frozen=True)
class _Member:
    """The work on one member, in a thread."""

    path: Path
    target: Path
    checksums: Mapping[str, str]

    def __call__(self, member: zipfile.ZipInfo) -> tuple[bool, str]:
        """(written now, what is wrong with it)."""
        file = self.target / member.filename
        sha1 = self.checksums.get(member.filename)
        if _is_there(file, member.file_size) and _same(file, member.CRC, sha1):
            return False, ""
        try:
            found = self._write(member, file)
        except _Damaged as error:
            return False, f"damaged in the zip: {error}"
        if sha1 is not None and found != sha1:
            return False, f"SHA-1 is {found}, not {sha1} as listed in checksums"
        return True, ""

    def _write(self, member: zipfile.ZipInfo, file: Path) -> str:
        """Unpack to a temporary name, then rename; the SHA-1 of what was written."""
        digest = hashlib.sha1(usedforsecurity=False)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.part")
        try:
            with open(self.path, "rb") as archive, open(temporary, "wb") as out:
                for chunk in _content(archive, member):
                    out.write(chunk)
                    digest.update(chunk)
            os.replace(temporary, file)
        except _Damaged:
            temporary.unlink(missing_ok=True)
            raise
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise MgcError(
                f"Cannot write {file}: {error.strerror or error}.",
                "What was unpacked is kept; run the same command to go on.",
            ) from error
        return digest.hexdigest()


def _same(file: Path, crc: int, sha1: str | None) -> bool:
    found_crc, digest = 0, hashlib.sha1(usedforsecurity=False)
    with open(file, "rb") as opened:
        while chunk := opened.read(CHUNK):
            found_crc = zlib.crc32(chunk, found_crc)
            digest.update(chunk)
    return found_crc == crc and sha1 in (None, digest.hexdigest())


def _content(archive: Any, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """A member's bytes, never more than its header announces, checked against its CRC-32.

    zipfile's own reader inflates a bzip2 chunk whole (4 kB can hold 4 GB); this one does not.
    """
    crc, left = 0, member.file_size
    for chunk in _inflated(_packed(archive, member), _DECOMPRESSORS[member.compress_type]()):
        if len(chunk) > left:
            raise _Damaged(f"holds more than the {member.file_size:,} bytes that its header says")
        left -= len(chunk)
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if left:
        raise _Damaged(f"ends {left:,} bytes early")
    if crc != member.CRC:
        raise _Damaged("its CRC-32 differs")


def _packed(archive: Any, member: zipfile.ZipInfo) -> Iterator[bytes]:
    archive.seek(member.header_offset)
    header = archive.read(LOCAL_HEADER)
    if len(header) < LOCAL_HEADER or header[:4] != b"PK\x03\x04":
        raise _Damaged("its header is not where it should be")
    name, extra = struct.unpack("<HH", header[26:30])
    archive.seek(name + extra, os.SEEK_CUR)
    left = member.compress_size
    while left:
        chunk = archive.read(min(CHUNK, left))
        if not chunk:
            raise _Damaged("the zip ends in the middle of it")
        left -= len(chunk)
        yield chunk


def _inflated(packed: Iterator[bytes], decompressor: Any) -> Iterator[bytes]:
    """Chunks of at most `CHUNK` bytes."""
    try:
        for data in packed:
            yield from decompressor.chunks(data)
        yield decompressor.rest()
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise _Damaged(str(error)) from error


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


_DECOMPRESSORS: Mapping[int, Any] = {
    zipfile.ZIP_STORED: _Stored,
    zipfile.ZIP_DEFLATED: _Deflated,
    zipfile.ZIP_BZIP2: _Bzip2,
}
