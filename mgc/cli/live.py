"""Progress of long work: bars and an epoch table on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress as Bars,
    ProgressColumn,
    SpinnerColumn,
    Task as BarTask,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from mgc.cli import output
from mgc.progress import Progress, Task

SECONDS_BETWEEN_LINES = 10.0  # piped: often enough to see life, seldom enough to read
EPOCHS_SHOWN = 8
#: The columns of the epoch table that are shown, where the trainer gives them.
EPOCH_COLUMNS = {
    "epoch": "epoch",
    "loss": "loss",
    "validation_loss": "val. loss",
    "validation_accuracy": "val. acc.",
    "learning_rate": "lr",
    "seconds": "s",
}


def progress() -> Progress:
    """Bars where someone watches, else lines."""
    return TerminalProgress() if sys.stderr.isatty() else PlainProgress()


class _Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: BarTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} {task.fields['unit']}/s", style="dim")


class _BarTask:
    def __init__(self, bars: Bars, number: Any) -> None:
        self.bars, self.number = bars, number

    def advance(self, count: int = 1) -> None:
        self.bars.advance(self.number, count)


class TerminalProgress:
    """Rich bars with rate and time left; epochs as a live table under the bar."""

    def __init__(self) -> None:
        self._console = output.errors()
        self._bars: Bars | None = None
        self._epochs: deque[Mapping[str, Any]] = deque(maxlen=EPOCHS_SHOWN)

    @contextmanager
    def task(self, what: str, total: int | None, unit: str) -> Iterator[Task]:
        """Show a bar while the block runs; a task inside a task is a second bar."""
        if self._bars is not None:
            number = self._bars.add_task(what, total=total, unit=unit)
            try:
                yield _BarTask(self._bars, number)
            finally:
                self._bars.remove_task(number)
            return
        self._bars = self._new_bars()
        number = self._bars.add_task(what, total=total, unit=unit)
        try:
            with Live(get_renderable=self._render, console=self._console, transient=True):
                yield _BarTask(self._bars, number)
        finally:
            bar = self._bars.tasks[0]
            self.say(_ended(what, int(bar.completed), unit, bar.elapsed or 0.0))
            self._bars = None
            self._epochs.clear()

    def _new_bars(self) -> Bars:
        return Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )

    def _render(self) -> Group:
        parts: list[Any] = [self._bars] if self._bars is not None else []
        if self._epochs:
            parts.append(_epoch_table(self._epochs))
        return Group(*parts)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(Text(line), style="dim")

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Add a row to the live table."""
        self._epochs.append(dict(row))


def _epoch_table(rows: deque[Mapping[str, Any]]) -> Table:
    there = [key for key in EPOCH_COLUMNS if key in rows[-1]]
    table = Table(box=None, pad_edge=False)
    for key in there:
        table.add_column(EPOCH_COLUMNS[key], justify="right", style="dim")
    for row in rows:
        table.add_row(*(_figure(row.get(key)) for key in there))
    return table


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2e}" if 0 < abs(value) < 0.01 else f"{value:.3f}"
    return "" if value is None else str(value)


def _ended(what: str, done: int, unit: str, seconds: float) -> str:
    return f"{what}: {done:,} {unit} in {seconds:.1f} s ({done / max(seconds, 1e-6):,.1f}/s)"


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

    def end(self) -> None:
        seconds = time.monotonic() - self.begun
        output.note(_ended(self.what, self.done, self.unit, seconds))


class PlainProgress:
    """A line now and then, for logs and pipes."""

    def __init__(self) -> None:
        self._said = 0.0

    @contextmanager
    def task(self, what: str, total: int | None, unit: str) -> Iterator[Task]:
        """Say how far it is every `SECONDS_BETWEEN_LINES`, and at the end."""
        task = _LineTask(what, total, unit)
        try:
            yield task
        finally:
            task.end()

    def say(self, line: str) -> None:
        """Print the line."""
        output.note(line)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Print the figures of an epoch, not more often than a reader can follow."""
        if time.monotonic() - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = time.monotonic()
        figures = [f"{EPOCH_COLUMNS[key]} {_figure(row[key])}" for key in EPOCH_COLUMNS if key in row]
        output.note("  " + "  ".join(figures))


__all__ = ["PlainProgress", "Progress", "TerminalProgress", "progress"]
