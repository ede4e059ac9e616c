"""What a dataset of 1,000 to 1,000,000 tracks costs, step by step, apart from audio and models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.scale_steps import READS, STEPS
from benchmarks.timing import Row, Section

SIZES = (1_000, 10_000, 100_000, 1_000_000)
TEXT = (
    "Tables, fingerprints and features made up; files are names of a few very short ones. Each "
    "step is a process of its own, which does what its name says in seconds of the processor and "
    "needs at most so much memory, libraries included. An exponent of 1 is cost in proportion to "
    f"the number of tracks, fitted to the sizes from 10,000; of {READS:,} reads it is 0."
)


def measure(scratch: Path, most: int, only: Sequence[str] = ()) -> Section:
    """All steps for all sizes up to ``most`` tracks; ``only`` limits the steps that are shown."""
    sizes = [size for size in SIZES if size <= most]
    found = {(name, size): _measured(scratch, name, size) for size in sizes for name in STEPS}
    rows = []
    for name in [name for name in STEPS if not only or name in only][1:]:
        seconds = {size: found[name, size]["seconds"] for size in sizes}
        for size in sizes:
            made = found[name, size]
            note = f"{made['peak']:,.0f} MB"
            if size == sizes[-1] and (slope := exponent(seconds)) is not None:
                note += f"; exponent {slope:.2f}"
            rows.append(Row(f"{name}, {size:,} tracks", made["seconds"], "s", note=note))
    return Section("Many tracks", TEXT, rows)


def exponent(seconds: dict[int, float]) -> float | None:
    """Of the power of the size that fits best, from 10,000 tracks on; None for fewer than two."""
    points = {size: value for size, value in seconds.items() if size >= 10_000 and value > 0}
    if len(points) < 2:
        return None
    return float(np.polyfit(np.log([*points]), np.log([*points.values()]), 1)[0])


def _measured(scratch: Path, name: str, size: int) -> dict[str, float]:
    folder = scratch / str(size)
    folder.mkdir(exist_ok=True)
    code = f"from benchmarks import scale; scale.report({name!r}, {size})"
    paths = [os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"MGC_HOME": str(folder.absolute() / "home"), "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True, cwd=folder, stdout=subprocess.PIPE, env={**os.environ, **own},
    )  # fmt: skip
    made: dict[str, float] = json.loads(done.stdout)
    print(f"  {name}, {size:,}: {made}", file=sys.stderr, flush=True)
    return made


def report(name: str, size: int) -> None:
    """Do one step, and print what it took as JSON."""
    work = STEPS[name](size)
    _forget_peak()
    begun, clock = time.process_time(), time.perf_counter()
    work()
    seconds, clock = time.process_time() - begun, time.perf_counter() - clock
    print(json.dumps({"seconds": seconds, "clock": clock, "peak": _peak()}))


def _forget_peak() -> None:
    """Begin to measure the peak: what was prepared needs memory too."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    """The most resident memory, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3
