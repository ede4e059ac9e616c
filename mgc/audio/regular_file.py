"""Whether a path is a regular file with content, checked before anything opens it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mgc.audio.given import AudioBytes
from mgc.errors import AudioError


def require_regular(path: Path | AudioBytes) -> None:
    """Refuse anything but a regular file; a pipe would wait forever.

    Raises AudioError that says what it is.
    """
    if isinstance(path, AudioBytes):
        if not path.content:
            raise AudioError(f"{path}: is empty (0 bytes).")
        return
    try:
        found = path.stat()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValueError as error:  # a null byte in the name
        raise AudioError(f"{path}: is not a valid file name ({error}).") from error
    if not stat.S_ISREG(found.st_mode):
        _listable(path)
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise AudioError(f"{path}: is {kind}, not an audio file.")
    if not found.st_size:
        raise AudioError(f"{path}: is empty (0 bytes).")


def _listable(path: Path) -> None:
    """Refuse a folder that cannot be read; `mgc predict` reports it among the files."""
    try:
        os.scandir(path).close()
    except NotADirectoryError:
        return
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}).") from error
