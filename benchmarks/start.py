"""How long a command takes to begin."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.timing import Section, in_turns, row

FLOOR = "python -c 'import typer, rich'"
TEXT = "Milliseconds from the start of a process to its end, files in the page cache."


def measure(scratch: Path, turns: int) -> Section:
    """Commands that only list, against the import of what draws their output."""
    mgc = [sys.executable, "-m", "mgc"]
    commands = {
        "python -c ''": [sys.executable, "-c", ""],
        FLOOR: [sys.executable, "-c", "import typer, rich"],
        "mgc --help": [*mgc, "--help"],
        "mgc features list": [*mgc, "features", "list"],
        "mgc heads list": [*mgc, "heads", "list"],
        "mgc runs list": [*mgc, "runs", "list"],
    }
    environment = {**os.environ, "MGC_HOME": str(scratch / "home")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every import compiles again

    def run(command: list[str]) -> Callable[[int], object]:
        return lambda turn: subprocess.run(
            command, env=environment, check=True, capture_output=True
        )

    times = in_turns({name: run(command) for name, command in commands.items()}, turns)
    for each in times.values():  # the processor time is the child's
        each.processor = each.clock
    rows = [row(times, name, FLOOR, scale=1e3, unit="ms") for name in commands]
    return Section("Start of a command", TEXT, rows, {"turns": turns})
