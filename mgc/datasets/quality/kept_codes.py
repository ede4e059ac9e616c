"""The codes of many fingerprints: in memory, or mapped from a temporary file if they are many."""

from __future__ import annotations

from typing import IO

import numpy as np

from mgc.errors import MgcError

MAX_MEMORY = 128 << 20  # bytes
WAY_OUT = "Free some space there, or name another folder in TMPDIR."


def keep(file: IO[bytes], codes: np.ndarray) -> None:
    """Add the codes of a track. Raises MgcError if the disk is full."""
    try:
        file.write(codes.astype("<u4").tobytes())
    except OSError as error:
        raise MgcError(f"No fingerprints can be kept: {error.strerror}.", WAY_OUT) from error


def kept(file: IO[bytes], count: int) -> np.ndarray:
    """What was added, ``count`` codes."""
    if 4 * count > MAX_MEMORY:
        return np.memmap(file, "<u4", "r")
    file.seek(0)
    return np.frombuffer(file.read(), "<u4")
