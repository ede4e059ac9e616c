"""Unpacks a zip that a stranger made: safely, member by member, so that it can be taken up again.

Every name is checked before a byte is written: nothing leaves the target folder, links and devices
are refused, and so is an archive that swells beyond what music can. A member is written under a
temporary name, checked against its CRC-32 and the ``checksums`` list, then renamed; a second call
does only what is missing and comes to the same tree.
"""

from __future__ import annotations

import contextlib
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

from mgc.datasets.download.verified_files import MEGABYTE, Meter, need_space
from mgc.datasets.download.zip_member import CHUNK, METHODS, Damaged, content
from mgc.errors import MgcError
from mgc.progress import Progress, Silent

#: Text tables shrink to a tenth, music not at all; a hundredfold is an attack on the disk.
MAX_RATIO = 100
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
    if size > MAX_RATIO * path.stat().st_size:
        raise MgcError(
            f"{path} claims to unpack to {size:,} bytes, more than {MAX_RATIO} times its size: "
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
    elif member.compress_type not in METHODS:
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
            return b"".join(content(file, member))
    except Damaged as error:
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
        for member, (new, fault) in _in_threads(_Member(path, target, checksums or {}), chosen):
            written += new
            if fault:
                faults[member.filename] = fault
            meter.add(member.file_size)
    return Unpacked(written, len(chosen) - written - len(faults), faults)


def _in_threads(
    work: _Member, chosen: list[zipfile.ZipInfo]
) -> Iterator[tuple[zipfile.ZipInfo, tuple[bool, str]]]:
    pool = ThreadPoolExecutor(WORKERS)
    try:
        yield from zip(chosen, pool.map(work, chosen), strict=True)
    finally:
        pool.shutdown(cancel_futures=True)  # a stop waits for the members under way, not for all


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


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
        except Damaged as error:
            return False, f"damaged in the zip: {error}"
        if sha1 is not None and found != sha1:
            return False, f"SHA-1 is {found}, not {sha1} as listed in checksums"
        return True, ""

    def _write(self, member: zipfile.ZipInfo, file: Path) -> str:
        """Unpack to a temporary name, then rename; the SHA-1 of what was written."""
        digest = hashlib.sha1(usedforsecurity=False)
        temporary = file.with_name(f".{file.name}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "rb") as archive, open(temporary, "wb") as out:
                for chunk in content(archive, member):
                    out.write(chunk)
                    digest.update(chunk)
            os.replace(temporary, file)
        except Damaged:
            temporary.unlink(missing_ok=True)
            raise
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
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
