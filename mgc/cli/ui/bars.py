"""Progress on a terminal: rich bars with rate and time left, and a live table of epochs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.progress import (
    Task as BarTask,
)
from rich.table import Table
from rich.text import Text

from mgc.cli.ui import output
from mgc.cli.ui.lines import EPOCH_COLUMNS, ended, figure
from mgc.progress import Task

MAX_EPOCHS_SHOWN = 8


class _Rate(ProgressColumn):
    """Units per second."""

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
        self._epochs: deque[Mapping[str, Any]] = deque(maxlen=MAX_EPOCHS_SHOWN)

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
            self.say(ended(what, int(bar.completed), unit, bar.elapsed or 0.0))
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
        table.add_row(*(figure(row.get(key)) for key in there))
    return table
