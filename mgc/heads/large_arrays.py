"""Arrays of a row per clip, which may be larger than the memory."""

from __future__ import annotations

import shutil
from tempfile import TemporaryFile

import numpy as np

from mgc.home import home

SMALL = 64 << 20  # bytes: less is always in memory
SHARE_OF_MEMORY = 0.25  # of the free memory; more is mapped from a file


def room(rows: int, columns: int) -> np.ndarray:
    """A float32 array (row, column) to fill.

    If it would take more than `SHARE_OF_MEMORY` of what is free, and the disk has room for it, it
    is mapped from a temporary file in the home, which ends with the array.
    """
    size = 4 * rows * columns
    if size > SMALL and size > SHARE_OF_MEMORY * _free_memory():
        home().mkdir(parents=True, exist_ok=True)
        if size < shutil.disk_usage(home()).free:
            with TemporaryFile(dir=home()) as file:
                return np.memmap(file, np.float32, "w+", shape=(rows, columns))
    return np.empty((rows, columns), np.float32)


def _free_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().available)
