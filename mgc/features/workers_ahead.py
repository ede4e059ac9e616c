"""Starts the worker processes of an extraction while this process still reads its dataset."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

#: Below this many files the work is done here: starting workers takes half as long as these
#: (0.4 s against 0.03 to 0.05 s per file).
MIN_FILES = 32
SAMPLE = 256  # files, of which most must be new
WORKER = "mgc.features.extraction.file_worker"  # what worker processes import


def start_for(paths: Sequence[Path], workers: int | None, *, even_known: bool = False) -> None:
    """Start them if an extraction of these files will want them: if there are enough, and most of a
    sample have never been hashed, so that no store has their features (or ``even_known``)."""
    if len(paths) < MIN_FILES or workers == 1 or not sys.executable:
        return
    from mgc.audio.processes import launch, pool, posix
    from mgc.features import file_hashes

    if pool.cores() < 2 or launch.start_method() != "fork":
        return
    sample = paths[:: len(paths) // SAMPLE + 1]
    if even_known or len(file_hashes.known(sample)) < len(sample) / 2:
        posix.start_ahead(WORKER)
