"""Unpacks an untrusted zip safely, member by member, so that it can be resumed.

Every name is checked before a byte is written: nothing escapes the target folder, links and devices
are refused, and so is an archive that expands more than music can. A member is written under a
temporary name, checked against its CRC-32 and the ``checksums`` list, then renamed; a second call
does only what is missing and produces the same tree.
"""

from __future__ import annotations

import bz2
import copy
import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from mgc.datasets.download.verified_files import MEGABYTE, Meter, need_space
from mgc.errors import MgcError
from mgc.home import replacing
from mgc.progress import Progress, Silent

#: Text tables compress tenfold, music not at all; a hundredfold is an attack on the disk.
MAX_RATIO = 100
WORKERS = max(1, min(8, os.cpu_count() or 1))  # bz2 and zlib work outside of Python's lock
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
CHUNK = 256 << 10  # bytes unpacked at once
#: What zipfile and the decompressors raise for bytes that are not what a header says.
DAMAGE = (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError, zlib.error)


class Damaged(Exception):  # noqa: N818 - never shown directly: a member's fault
    """A member's bytes are not what its header says."""


@dataclass(frozen=True)
class Unpacked:
    """The outcome: files written, files already there, and bad files with the reason."""

    written: int
    found: int
    faults: dict[str, str]


def members(path: Path) -> list[zipfile.ZipInfo]:
    """The files of a zip, every one of them safe to write below some folder.

    Raises MgcError if it is not a complete zip, if a name leads outside, is a link or occurs twice,
    or if the sizes cannot be true.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        raise MgcError(
            f"{path} is not a complete zip file ({error}).",
            "Download it again, or give another zip with --from FILE.",
        ) from error
    seen: set[str] = set()
    for member in found:
        _safe(path, member, seen)
    size = sum(member.file_size for member in found)
    if size > MAX_RATIO * path.stat().st_size:
        raise MgcError(
            f"{path} claims to unpack to {size:,} bytes, more than {MAX_RATIO} times its size: "
            f"that is not music. Nothing was written."
        )
    return found


def _safe(path: Path, member: zipfile.ZipInfo, seen: set[str]) -> None:
    name = member.filename
    parts = PurePosixPath(name).parts
    kind = stat.S_IFMT(member.external_attr >> 16)
    reason = ""
    if name.startswith("/") or "\\" in name or ":" in parts[0] or ".." in parts:
        reason = "points outside its folder"
    elif kind not in (0, stat.S_IFREG):
        reason = "is not a regular file (a link or a device)"
    elif member.flag_bits & 1:
        reason = "is encrypted"
    elif name.casefold() in seen:
        reason = "occurs twice"
    elif member.compress_type not in METHODS:
        reason = f"uses an unknown compression method ({member.compress_type})"
    if reason:
        raise MgcError(
            f"{path} is not safe to unpack: its member {name!r} {reason}. Nothing was written.",
            "Get the archive from its publisher.",
        )
    seen.add(name.casefold())


def read_member(path: Path, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a small member. Raises MgcError if they are damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return b"".join(_content(archive, member))
    except Damaged as error:
        raise MgcError(f"{path}: member {member.filename!r} is damaged ({error}).") from error


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """A member's bytes, never more than its header declares, checked against its CRC-32.

    Raises Damaged while iterating, if the bytes are not what the headers say.
    """
    try:
        file = _opened(archive, member)
    except DAMAGE as error:
        raise Damaged(f"its header is not where it should be: {error}") from error
    crc, left = 0, member.file_size
    with file:
        while chunk := _read(file):
            if len(chunk) > left:
                raise Damaged(
                    f"holds more than the {member.file_size:,} bytes that its header says"
                )
            left -= len(chunk)
            crc = zlib.crc32(chunk, crc)
            yield chunk
    if left:
        raise Damaged(f"ends {left:,} bytes early")
    if crc != member.CRC:
        raise Damaged("its CRC-32 differs")


def _read(file: IO[bytes]) -> bytes:
    try:
        return file.read(CHUNK)
    except DAMAGE as error:
        raise Damaged(str(error)) from error


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    """A member, unpacked in small steps as it is read, up to one byte more than it declares.

    zipfile does this itself except for bzip2, which it unpacks 4 kB at a time, and these can hold
    4 GB: so it is asked for the packed bytes. It would silently truncate what is too long.
    """
    asked = copy.copy(member)
    del asked.CRC  # which is checked here, with the length
    if member.compress_type == zipfile.ZIP_BZIP2:
        asked.compress_type, asked.file_size = zipfile.ZIP_STORED, member.compress_size
        return bz2.BZ2File(archive.open(asked))
    asked.file_size += 1
    return archive.open(asked)


def unpack(
    path: Path,
    target: Path,
    *,
    wanted: Callable[[str], bool] = lambda name: True,
    checksums: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Unpacked:
    """Write the wanted members of a zip below ``target``; correct existing files stay.

    Args:
        path: the zip.
        target: the folder.
        wanted: which member names to write.
        checksums: SHA-1 in hex by member name; a file that differs is a fault.
        progress: informed about megabytes.

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
    with (
        (progress or Silent()).task(f"unpacking {path.name}", total, "MB") as task,
        zipfile.ZipFile(path) as archive,  # threads may read it at the same time
    ):
        meter, pool = Meter(task), ThreadPoolExecutor(WORKERS)
        work = _Member(archive, target, checksums or {})
        try:
            for member, (new, fault) in zip(chosen, pool.map(work, chosen), strict=True):
                written += new
                if fault:
                    faults[member.filename] = fault
                meter.add(member.file_size)
        finally:
            pool.shutdown(cancel_futures=True)  # an interrupt waits for running members only
    return Unpacked(written, len(chosen) - written - len(faults), faults)


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


@dataclass(frozen=True)
class _Member:
    """Handle one member, in a thread."""

    archive: zipfile.ZipFile
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
        except Damaged as error:
            return False, f"damaged in the zip: {error}"
        if sha1 is not None and found != sha1:
            return False, f"SHA-1 is {found}, not {sha1} as listed in checksums"
        return True, ""

    def _write(self, member: zipfile.ZipInfo, file: Path) -> str:
        """Unpack to a temporary name, then rename; the SHA-1 of what was written."""
        digest = hashlib.sha1(usedforsecurity=False)
        # A kill leaves one such file, and the next call replaces it. Not synced: a second call
        # checks what exists, and a hundred thousand syncs would take an hour.
        temporary = file.with_name(f".{file.name}.part")
        hint = "What was unpacked is kept; run the same command to continue."
        with replacing(file, hint, temporary=temporary, sync=False) as out:
            for chunk in _content(self.archive, member):
                out.write(chunk)
                digest.update(chunk)
        return digest.hexdigest()


def _same(file: Path, crc: int, sha1: str | None) -> bool:
    found_crc, digest = 0, hashlib.sha1(usedforsecurity=False)
    with open(file, "rb") as opened:
        while chunk := opened.read(CHUNK):
            found_crc = zlib.crc32(chunk, found_crc)
            digest.update(chunk)
    return found_crc == crc and sha1 in (None, digest.hexdigest())
