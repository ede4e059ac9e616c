"""The system's own lock on a file: it ends with its process, however that ends."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from mgc.errors import MgcError
from mgc.home import home
from mgc.progress import Progress, Silent

PATIENCE = 1.0  # seconds of waiting for another process before that is said


class ReservedError(MgcError):
    """Another process is at work on it."""


@contextmanager
def held(
    lock: Path, doing: str = "", *, wait: bool = False, waits: Callable[[], None] = lambda: None
) -> Iterator[bool]:
    """Hold the lock of a file, which is made if missing; tells whether another had it first.

    Raises ReservedError, which begins with ``doing``, if another process or thread has it, unless
    asked to wait (``waits`` is called once if that takes `PATIENCE`); MgcError if it cannot be
    locked.
    """
    from filelock import FileLock, Timeout

    tries = (0, PATIENCE, -1) if wait else (0,)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = FileLock(lock, fallback_to_soft=False)  # a soft lock outlives its process
        for count, seconds in enumerate(tries):
            with suppress(Timeout):
                got = file.acquire(seconds)
                break
            if count:
                waits()
        else:
            raise ReservedError(f"{doing} by another process.", "Wait for it, or stop it first.")
    except OSError as error:
        raise MgcError(
            f"{lock} cannot be locked: {error.strerror or error}.",
            "Use a disk that can be written and has locks: --home, or --to for a download.",
        ) from error
    with got:
        yield count > 0


def claimed(
    what: str, of: str = "", *, wait: Progress | None = None
) -> AbstractContextManager[bool]:
    """Reserve a piece of work among all processes of this home; see `held`.

    ``what`` is named, in words, if one has to ``wait``; ``of`` tells it from others of that name.
    """
    known, told = f"{what}{of}".encode(errors="surrogatepass"), wait or Silent()
    line = f"Waiting for another process that is at work on {what}."
    lock = home() / "claims" / f"{hashlib.sha256(known).hexdigest()[:24]}.lock"
    return held(lock, "This is being done", wait=wait is not None, waits=lambda: told.say(line))
