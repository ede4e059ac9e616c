"""The record of what was done to files, written before it is done, so that it can be undone.

A journal is a folder in mgc's home: ``journal.jsonl`` with a line per step, which has the
difference between a file as it was and as it is. Whether a step was done is seen from the file
itself, so a process that is killed at any moment leaves files that are either old or new, and all
of them can be given back.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

from mgc import MgcError
from mgc.home import home
from mgc_library.delta import difference, restored

LINES, DONE = "journal.jsonl", "undone"
MAX_BYTES = 1 << 31  # of a file that is tagged: it is held in memory three times


@dataclass
class Undone:
    """What undoing gave: files given back, files that were as before, and what could not be."""

    restored: list[Path] = field(default_factory=list)
    unchanged: int = 0
    failures: list[str] = field(default_factory=list)


class Journal:
    """Changes files, and records how to change them back."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.folder = _root() / f"{time.time_ns()}-{os.getpid()}-{kind}"
        self._lines: FileIO | None = None

    def close(self) -> None:
        """Close its file."""
        if self._lines is not None:
            self._lines.close()

    def record(self, *, wait: bool = True, **step: Any) -> None:
        """Add a step; ``wait`` until it is on the disk."""
        if self._lines is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lines = open(self.folder / LINES, "ab", buffering=0)  # noqa: SIM115 - see `close`
        # The line break in front ends a line of which a full disk took a part only.
        line = b"\n" + json.dumps({"kind": self.kind, **step}).encode()
        if self._lines.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if wait:
            os.fsync(self._lines.fileno())

    @contextmanager
    def replacing(self, path: Path, *, keep_times: bool) -> Iterator[Path]:
        """Give a copy of a file to be changed, then put it in the file's place.

        If the block raises, the file stays as it is. Raises OSError.
        """
        found = path.stat()
        before = path.read_bytes()
        copy = path.with_name(f".{path.stem[:40]}.mgc-{os.getpid()}{path.suffix}")
        self.record(copy=str(copy), wait=False)
        try:
            copy.write_bytes(before)
            yield copy
            after = copy.read_bytes()
            if after == before:
                return
            self._keep(path, before, after, found)
            shutil.copystat(path, copy)
            if not keep_times:
                os.utime(copy)
            _same_owner(copy, found)
            sync(copy)
            if _stamp(path.stat()) != _stamp(found):
                raise OSError(errno.EBUSY, "it was changed by something else meanwhile")
            copy.replace(path)
        finally:
            copy.unlink(missing_ok=True)

    def _keep(self, path: Path, before: bytes, after: bytes, found: os.stat_result) -> None:
        delta = difference(before, after)
        if restored(delta, after) != before:
            raise OSError(f"{path}: its old content could not be kept")
        self.record(
            path=str(path.absolute()),
            before=_digest(before),
            after=_digest(after),
            delta=b64encode(delta).decode(),
            times=[found.st_atime_ns, found.st_mtime_ns],
        )


def last() -> Path:
    """The newest journal that was not undone. Raises MgcError if there is none."""
    folders = (lines.parent for lines in sorted(_root().glob(f"*/{LINES}")))
    found = [folder for folder in folders if not (folder / DONE).exists()]
    if not found:
        raise MgcError("There is nothing to undo.", "Only what --write did can be undone.")
    return found[-1]


def undo(folder: Path) -> Undone:
    """Give back every file of a journal that is still as it was left; it may be called again."""
    result = Undone()
    steps = _steps(folder)
    cancelled = {step["cancelled"] for step in steps if "cancelled" in step}
    for step in reversed(steps):
        if "copy" in step:
            with suppress(OSError):  # no harm is done if it stays
                Path(step["copy"]).unlink()
        elif "made" in step:
            _unmake(step, cancelled, result)
        elif "path" in step:
            _give_back(folder, step, result)
    if not result.failures:
        (folder / DONE).touch()
    return result


def _steps(folder: Path) -> list[dict[str, Any]]:
    """The steps of a journal; its last line may be half-written."""
    steps = []
    for line in (folder / LINES).read_bytes().splitlines():
        with suppress(ValueError):
            steps.append(json.loads(line))
    return steps


def _give_back(folder: Path, step: dict[str, Any], result: Undone) -> None:
    path = Path(step["path"])
    copy = path.with_name(f".{path.stem[:40]}.mgc-undo{path.suffix}")  # again if undoing is killed
    try:
        now = path.read_bytes()
        if _digest(now) == step["before"]:
            result.unchanged += 1
            return
        if _digest(now) != step["after"]:
            result.failures.append(f"{path}: was changed since; left as it is.")
            return
        before = restored(b64decode(step["delta"]), now)
        if _digest(before) != step["before"]:
            result.failures.append(f"{path}: {folder / LINES} is damaged.")
            return
        copy.write_bytes(before)
        shutil.copystat(path, copy)
        _same_owner(copy, path.stat())
        os.utime(copy, ns=tuple(step["times"]))
        sync(copy)
        copy.replace(path)
        result.restored.append(path)
    except (OSError, ValueError) as error:
        result.failures.append(f"{path}: {getattr(error, 'strerror', None) or error}.")
    finally:
        with suppress(OSError):
            copy.unlink()


def _unmake(step: dict[str, Any], cancelled: set[str], result: Undone) -> None:
    """Take back a file that was copied, linked or moved."""
    made, source = Path(step["made"]), Path(step["source"])
    try:
        if str(made) in cancelled or not made.exists():
            result.unchanged += 1
            return
        if not made.stat().st_size and source.exists():  # killed while it was made
            made.unlink()
        elif _digest(made.read_bytes()) != step["digest"]:
            result.failures.append(f"{made}: was changed since; left as it is.")
        elif step["how"] != "move" or _is(source, step["digest"]):
            made.unlink()
            result.restored.append(made)
        elif source.exists():
            result.failures.append(f"{source}: is there again; {made} stays where it is.")
        else:
            source.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(made, source)
            result.restored.append(source)
        for parent in made.parents[: step["depth"]]:
            with suppress(OSError):  # not empty
                parent.rmdir()
    except OSError as error:
        result.failures.append(f"{made}: {error.strerror or error}.")


def _is(path: Path, digest: str) -> bool:
    return path.exists() and _digest(path.read_bytes()) == digest


def _root() -> Path:
    return home() / "library"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns, found.st_ino


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _same_owner(path: Path, wanted: os.stat_result) -> None:
    """Raises PermissionError if a file cannot be given to the owner of the one it replaces."""
    now = path.stat()
    if hasattr(os, "chown") and (now.st_uid, now.st_gid) != (wanted.st_uid, wanted.st_gid):
        os.chown(path, wanted.st_uid, wanted.st_gid)
