"""How many workers a run gets."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mgc.errors import UsageError
from mgc.features.extractor_spec import ExtractorSpec

#: Below so many files the work is done here: starting workers takes the time of about as many
#: (2 s, for importing torch once, against 0.05 s a file).
MIN_FILES = 64
#: With a model of its own weights a file takes seconds, and workers pay sooner.
MIN_FILES_WITH_WEIGHTS = 4
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def workers_for(waiting: int, sources: Sequence[ExtractorSpec], asked: int | None) -> int:
    """Processes for so many files; 0 means to work in this one.

    ``asked`` None (or 0) chooses: one for each core where that pays. 1 works in this process.
    Raises UsageError for a negative number.
    """
    if asked is not None and asked < 0:
        raise UsageError(f"{asked} workers are not possible.", "For example: --workers 4")
    if not hasattr(os, "fork") or not sys.executable or asked == 1:
        return 0
    if asked:
        return min(asked, waiting)
    few = MIN_FILES_WITH_WEIGHTS if any(map(_has_weights, sources)) else MIN_FILES
    return min(cores(), waiting) if waiting >= few else 0


def _has_weights(source: ExtractorSpec) -> bool:
    return source.identity()["weights"] is not None


def cores() -> int:
    """The cores that this process may use: its affinity, and its container's share."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, _container_share()))


def _container_share() -> int:
    """Whole cores of a control group's quota; very many where there is none."""
    try:
        quota, period = _QUOTA.read_text().split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or "max"
        return sys.maxsize
