"""Progress on a terminal: rich bars with rate and time left, and a live table of epochs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import rich.progress as bars
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mgc.cli.ui import output
from mgc.cli.ui.progress_text import EPOCH_COLUMNS, ended, figure
from mgc.progress import Task

MAX_EPOCHS_SHOWN = 8


class _Rate(bars.ProgressColumn):
    """Units per second."""

    def render(self, task: bars.Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} {task.fields['unit']}/s", style="dim")


class _BarTask:
    def __init__(self, shown: bars.Progress, number: bars.TaskID) -> None:
        self.shown, self.number = shown, number

    def advance(self, count: int = 1) -> None:
        self.shown.advance(self.number, count)


class TerminalProgress:
    """Rich bars with rate and time left; epochs as a live table under the bar."""

    def __init__(self) -> None:
        self._console = output.console(stderr=True)
        self._bars: bars.Progress | None = None
        self._epochs: deque[Mapping[str, Any]] = deque(maxlen=MAX_EPOCHS_SHOWN)

    @contextmanager
    def task(self, what: str, total: int | None, unit: str) -> Iterator[Task]:
        """Show a bar while the block runs; a task inside a task is a second bar."""
        if self._bars is not None:
            number = self._bars.add_task(output.visible(what), total=total, unit=unit)
            try:
                yield _BarTask(self._bars, number)
            finally:
                self._bars.remove_task(number)
            return
        self._bars = bars.Progress(
            bars.SpinnerColumn(),
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(bar_width=30),
            bars.MofNCompleteColumn(),
            _Rate(),
            bars.TimeElapsedColumn(),
            bars.TimeRemainingColumn(),
            console=self._console,
        )
        number = self._bars.add_task(output.visible(what), total=total, unit=unit)
        try:
            with Live(get_renderable=self._render, console=self._console, transient=True):
                yield _BarTask(self._bars, number)
        finally:
            bar = self._bars.tasks[0]
            if bar.completed:
                self.say(ended(what, int(bar.completed), unit, bar.elapsed or 0.0))
            self._bars = None
            self._epochs.clear()

    def _render(self) -> Group:
        parts: list[Any] = [self._bars] if self._bars is not None else []
        if self._epochs:
            parts.append(_epoch_table(self._epochs))
        return Group(*parts)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(Text(output.visible(line)), style="dim")

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Add a row to the live table."""
        self._epochs.append(dict(row))


def _epoch_table(rows: deque[Mapping[str, Any]]) -> Table:
    there = [key for key in EPOCH_COLUMNS if key in rows[-1]]
    table = Table(box=None, pad_edge=False)
    for key in there:
        table.add_column(EPOCH_COLUMNS[key], justify="right", style="dim")
    for row in rows:
        table.add_row(*(figure(row.get(key)) for key in there))
    return table
