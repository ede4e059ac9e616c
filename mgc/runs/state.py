"""How far a run has come: running, interrupted, failed or finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mgc.audio.processes.locks import held
from mgc.errors import MgcError
from mgc.home import write_json
from mgc.runs import Run, lock_file


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Reserve a run's folder for this process. Raises ReservedError if another has."""
    with held(lock_file(folder), f"Run {folder.name!r} is being trained"):
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
