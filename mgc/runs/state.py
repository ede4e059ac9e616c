"""How far a run has come: running, interrupted, failed or finished."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mgc.audio.processes.locks import held
from mgc.errors import MgcError
from mgc.home import home, write_json
from mgc.runs import Run, lock_file


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Reserve a run's folder for this process. Raises ReservedError if another has."""
    with held(lock_file(folder), f"Run {folder.name!r} is being trained"):
        yield


@contextmanager
def claimed(what: str, *, wait: bool = False) -> Iterator[None]:
    """Reserve a piece of work, by a text that identifies it, among all processes of this home.

    The system's own lock is held, so a claim ends with its process, however that ends. Raises
    ReservedError if another process has it, or waits for that one.
    """
    name = hashlib.sha256(what.encode()).hexdigest()[:24]
    with held(home() / "claims" / f"{name}.lock", "This is being done", wait=wait):
        yield


def fail(run: Run, reason: str) -> None:
    """Record that the training failed, and why."""
    write_json(run.folder / "run.json", {**run.record, "state": "failed", "problem": reason})


def state(run: Run) -> str:
    """``finished``, ``failed``, ``running``, or ``interrupted`` if no process is training it."""
    said = run.record.state
    if said != "running":
        return said
    try:
        with locked(run.folder):
            return "interrupted"
    except (MgcError, OSError):  # someone else's, or on a read-only disk
        return said
