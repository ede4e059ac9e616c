"""Progress of long work: bars and an epoch table on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mgc.cli.ui import output
from mgc.cli.ui.progress_text import EPOCH_COLUMNS, ended, figure
from mgc.progress import Progress, Task

SECONDS_BETWEEN_LINES = 10.0  # piped: often enough to show activity, rarely enough to read


def progress() -> Progress:
    """Bars on a terminal, else lines."""
    if not sys.stderr.isatty():
        return PlainProgress()
    from mgc.cli.ui.bars import TerminalProgress  # rich's progress takes a while to import

    return TerminalProgress()


class _LineTask:
    def __init__(self, what: str, total: int | None, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done, self.begun = 0, time.monotonic()
        self.said = self.begun

    def advance(self, count: int = 1) -> None:
        self.done += count
        if time.monotonic() - self.said >= SECONDS_BETWEEN_LINES:
            self.line()

    def line(self) -> None:
        self.said = time.monotonic()
        rate = self.done / max(self.said - self.begun, 1e-6)
        of = f" of {self.total:,}" if self.total else ""
        rest = f", {(self.total - self.done) / rate:.0f} s left" if self.total and rate else ""
        output.note(f"{self.what}: {self.done:,}{of} {self.unit}, {rate:,.1f}/s{rest}")


class PlainProgress:
    """A line every now and then, for logs and pipes."""

    def __init__(self) -> None:
        self._said = 0.0

    @contextmanager
    def task(self, what: str, total: int | None, unit: str) -> Iterator[Task]:
        """Report progress every `SECONDS_BETWEEN_LINES`, and at the end if anything was done."""
        task = _LineTask(what, total, unit)
        try:
            yield task
        finally:
            if task.done:
                output.note(ended(what, task.done, unit, time.monotonic() - task.begun))

    def say(self, line: str) -> None:
        """Print the line."""
        output.note(line)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Print the figures of an epoch, no more often than a reader can follow."""
        if time.monotonic() - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = time.monotonic()
        figures = (
            f"{words} {figure(row[key])}" for key, words in EPOCH_COLUMNS.items() if key in row
        )
        output.note("  " + "  ".join(figures))
