"""The system's own lock on a file: it ends with its process, however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mgc.errors import MgcError


class ReservedError(MgcError):
    """Another process is at work on it."""


@contextmanager
def held(lock: Path, doing: str = "", *, wait: bool = False) -> Iterator[None]:
    """Hold the lock of a file, which is made if missing.

    Raises ReservedError, which begins with ``doing``, if another process or thread has it, unless
    asked to wait; MgcError if it cannot be locked.
    """
    from filelock import FileLock, Timeout

    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = FileLock(lock, fallback_to_soft=False)  # a soft lock outlives its process
        got = file.acquire(timeout=-1 if wait else 0)
    except Timeout as error:
        raise ReservedError(
            f"{doing} by another process.", "Wait for it, or stop it first."
        ) from error
    except OSError as error:
        raise MgcError(
            f"{lock} cannot be locked: {error.strerror or error}.",
            "Use a disk that can be written and has locks: --home, or --to for a download.",
        ) from error
    with got:
        yield
