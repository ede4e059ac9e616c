"""Chooses how many workers a run gets."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mgc.audio.processes.pool import cores
from mgc.errors import UsageError
from mgc.features.extractor_spec import ExtractorSpec

#: Below this many files the work is done here: starting workers takes half as long as these
#: (0.4 s against 0.03 to 0.05 s per file).
MIN_FILES = 32
#: With a pretrained model a file takes seconds, and workers pay off sooner.
MIN_FILES_WITH_WEIGHTS = 4


def workers_for(waiting: int, sources: Sequence[ExtractorSpec], asked: int | None) -> int:
    """The number of processes for this many files; 0 means to work in this one.

    If ``asked`` is None (or 0), one per core if that pays off. 1 means this process.
    Raises UsageError for a negative number.
    """
    if asked is not None and asked < 0:
        raise UsageError(f"{asked} workers are not possible.", "For example: --workers 4")
    if not sys.executable or asked == 1:
        return 0
    if asked:
        return min(asked, waiting)
    few = MIN_FILES_WITH_WEIGHTS if any(map(_has_weights, sources)) else MIN_FILES
    return min(cores(), waiting) if waiting >= few else 0


def _has_weights(source: ExtractorSpec) -> bool:
    return source.identity()["weights"] is not None
