"""Which decoders are on this machine, and whether a failure is a file's or theirs."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.util import find_spec

import soundfile

#: libsndfile's code for a failed system call.
SYSTEM_ERROR = 2
#: What FFmpeg reports of the machine; its other numbers are about the file.
MACHINE_ERRORS = {errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


@dataclass
class Hearing:
    """How a file was heard: the version of PyAV if it opened the file, the length in seconds
    that its clips were chosen for, and why they hold no music ("" if they do)."""

    pyav: str = ""
    seconds: float = 0.0
    remark: str = ""


_hearing: ContextVar[Hearing | None] = ContextVar("hearing", default=None)


def pyav() -> str:
    """PyAV's version and FFmpeg's; "" if PyAV is not installed."""
    if find_spec("av") is None:
        return ""
    try:
        import av
    except ImportError:
        return ""
    return f"PyAV {av.__version__}, FFmpeg {getattr(av, 'ffmpeg_version_info', 'unknown')}"


@contextmanager
def noting() -> Iterator[Hearing]:
    """A record of how the file that is decoded inside the block is heard."""
    hearing = Hearing()
    token = _hearing.set(hearing)
    try:
        yield hearing
    finally:
        _hearing.reset(token)


def noted() -> Hearing:
    """The record to write to."""
    return _hearing.get() or Hearing()


def is_outside(error: BaseException | None) -> bool:
    """Whether the cause of a failure may lie outside the file, so that another try may succeed: no
    permission, no memory, a broken disk, or a format that PyAV may read and PyAV is missing."""
    while error is not None:
        if _is_of_machine(error):
            return True
        error = error.__cause__
    return False


def _is_of_machine(error: BaseException) -> bool:
    if isinstance(error, soundfile.LibsndfileError):
        return error.code == SYSTEM_ERROR or "malloc" in str(error) or not pyav()
    if type(error).__module__.startswith("av."):
        return getattr(error, "errno", None) in MACHINE_ERRORS
    return isinstance(error, OSError | MemoryError)
