"""Large files that must be exactly the published ones: hashing, sizes and disk space."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from mgc.audio.file_cache import stamp
from mgc.errors import MgcError
from mgc.home import free_bytes, read_json, write_json
from mgc.progress import Progress, Silent, Task

BLOCK = 8 << 20  # bytes read at once
MEGABYTE = 1_000_000  # bytes; the unit of progress
#: Kept free on a disk in addition to what is written: a full disk breaks more than this program.
RESERVE = 256 << 20  # bytes


class Meter:
    """Counts bytes and reports whole megabytes to a task."""

    def __init__(self, task: Task) -> None:
        self.task, self.bytes = task, 0

    def add(self, count: int) -> None:
        """Add this many bytes."""
        before, self.bytes = self.bytes // MEGABYTE, self.bytes + count
        if self.bytes // MEGABYTE > before:
            self.task.advance(self.bytes // MEGABYTE - before)


def verify(
    path: Path, sha1: str | None, progress: Progress | None = None, notes: Path | None = None
) -> str:
    """The SHA-1 of a file in hex; only hashed if it is new or has changed since the last time.

    The hash is noted in the folder ``notes``; default: next to the file. Raises MgcError if the
    hash is not ``sha1``.
    """
    note, now = _note(path if notes is None else notes / path.name), list(stamp(path) or ())[:2]
    known: dict[str, Any] = {}
    with suppress(MgcError):
        known = read_json(note)
    is_noted = known.get("stamp") == now
    found = str(known["sha1"] if is_noted else digest(path, progress or Silent()).hexdigest())
    if sha1 is not None and found != sha1.lower():
        raise wrong_sha1(path, found, sha1)
    if not is_noted:
        write_json(note, {"sha1": found, "stamp": now})
    return found


def digest(path: Path, progress: Progress) -> Any:
    """A SHA-1 object that has read the file."""
    made = hashlib.sha1(usedforsecurity=False)
    total = path.stat().st_size // MEGABYTE
    with progress.task(f"checking {path.name}", total, "MB") as task, open(path, "rb") as file:
        meter = Meter(task)
        while block := file.read(BLOCK):
            made.update(block)
            meter.add(len(block))
    return made


def name_verified(part: Path, target: Path, sha1: str) -> None:
    """Give a fetched file its name, and note its known hash."""
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    write_json(_note(target), {"sha1": sha1, "stamp": list(stamp(part) or ())[:2]})
    os.replace(part, target)


def remove(path: Path) -> None:
    """Delete a file and its hash note."""
    _note(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def wrong_sha1(path: Path, found: str, sha1: str, name: str = "") -> MgcError:
    """The error for a file that is not the published one."""
    return MgcError(
        f"{path} is not the published file: its SHA-1 is {found}, not {sha1}.",
        f"Run the command again to download it again or, if it is meant to differ: "
        f"--from {path} --sha1 {name or path.name}={found}",
    )


def need_space(folder: Path, needed: int, what: str) -> None:
    """Raise MgcError unless the disk of ``folder`` has room for ``needed`` bytes."""
    free = free_bytes(folder) - RESERVE
    if needed > free:
        raise MgcError(
            f"{what} needs {readable(needed)} in {folder}, and only {readable(max(free, 0))} "
            f"are free there.",
            "Free some space, or choose another location with --to DIR.",
        )


def readable(count: int) -> str:
    """Bytes in readable form: ``7.7 GB``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"


def _note(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha1.json")
