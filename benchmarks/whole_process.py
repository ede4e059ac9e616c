"""What a whole process costs, with those that it starts: seconds, processor, memory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

PAUSE = 0.1  # seconds between two looks at the memory


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock and of all processors, the most memory in MB at once, and what it
    printed."""

    clock: float
    processor: float
    peak: float
    said: str = ""


def cost(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> Cost:
    """Run a command to its end. Raises CalledProcessError if it fails.

    Processes are looked at ten times a second, and what one uses after the last look is missed: the
    system's own count lacks processes that their parents do not wait for. Memory that several share
    counts once (proportional set size).
    """
    begun, peak = time.perf_counter(), 0
    used: dict[int, float] = {}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, _look(process.pid, used))
            with suppress(subprocess.TimeoutExpired):
                process.wait(PAUSE)
        clock = time.perf_counter() - begun
        said = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return Cost(clock, sum(used.values()), peak / 1e6, said)


def _look(pid: int, used: dict[int, float]) -> int:
    """Note what each process of a tree has used, and return their memory in bytes."""
    total = 0
    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        for one in (parent, *parent.children(recursive=True)):
            with suppress(psutil.Error):
                times = one.cpu_times()
                used[one.pid] = times.user + times.system
                total += one.memory_full_info().pss
    return total
