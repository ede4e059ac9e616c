"""What a dataset of 1,000 to 1,000,000 tracks costs, step by step, apart from audio and models.

``python -m benchmarks.scale --sizes 1000 10000`` prints a table: seconds of the processor and the
most memory of each step, each in a process of its own, and the exponent of the cost.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.scale_steps import STEPS

SIZES = (1_000, 10_000, 100_000, 1_000_000)
FROM = 10_000  # tracks: below, what does not depend on their number dominates
FIRST = next(iter(STEPS))  # makes what the others need, and is not in the table

Found = dict[tuple[str, int], dict[str, float]]


def main() -> None:
    """Measure what was asked for, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES[:2], help="tracks")
    parser.add_argument(
        "--steps", nargs="+", default=list(STEPS), help="names, in the order of the table"
    )
    parser.add_argument("--in", dest="folder", type=Path, help="work, and leave all, here")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mgc-bench-") as scratch:
        found: Found = {}
        for size in asked.sizes:
            folder = (asked.folder or Path(scratch)) / str(size)
            for name in dict.fromkeys([FIRST, *asked.steps]):
                if name != FIRST or not folder.exists():
                    found[name, size] = measured(folder, name, size)
                    print(f"{name}, {size:,}: {found[name, size]}", file=sys.stderr, flush=True)
    print("\n".join(table(found, asked.sizes)))


def table(found: Mapping[tuple[str, int], Mapping[str, float]], sizes: Sequence[int]) -> list[str]:
    """Markdown: a row per step, a column per size with seconds and MB, and the exponent."""
    lines = [f"| step | {' | '.join(f'{size:,}' for size in sizes)} | exponent |"]
    lines.append("|---|" + "--:|" * (len(sizes) + 1))
    for name in dict.fromkeys(step for step, _ in found if step != FIRST):
        made = {size: found[name, size] for size in sizes if (name, size) in found}
        cells = [
            f"{made[size]['seconds']:.2f} s, {made[size]['peak']:,.0f} MB" if size in made else "–"
            for size in sizes
        ]
        slope = exponent({size: one["seconds"] for size, one in made.items()})
        lines.append(
            f"| {name} | {' | '.join(cells)} | {'–' if slope is None else f'{slope:.2f}'} |"
        )
    return lines


def exponent(seconds: Mapping[int, float]) -> float | None:
    """Of the power of the size that fits best, from `FROM` tracks on; None for fewer than two."""
    points = {size: value for size, value in seconds.items() if size >= FROM and value > 0}
    if len(points) < 2:
        return None
    return float(np.polyfit(np.log([*points]), np.log([*points.values()]), 1)[0])


def measured(folder: Path, name: str, size: int) -> dict[str, float]:
    """One step in a process of its own: seconds, seconds on the clock, peak in MB."""
    folder.mkdir(parents=True, exist_ok=True)
    code = f"from benchmarks import scale; scale.report({name!r}, {size})"
    paths = [os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"MGC_HOME": str(folder.absolute() / "home"), "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=folder,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", **own},
    )
    made: dict[str, float] = json.loads(done.stdout)
    return made


def report(name: str, size: int) -> None:
    """Do one step, and print what it took as JSON. What it prepares is not counted."""
    work = STEPS[name](size)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    begun, clock = time.process_time(), time.perf_counter()
    work()
    seconds, clock = time.process_time() - begun, time.perf_counter() - clock
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1e3
    print(json.dumps({"seconds": seconds, "clock": clock, "peak": peak}))


if __name__ == "__main__":
    main()
