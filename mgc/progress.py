"""How library code reports long work without printing; the command line decides how it looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol


class Task(Protocol):
    """One piece of long work under way."""

    def advance(self, count: int = 1) -> None:
        """Count this many more units as done."""


class Progress(Protocol):
    """Where reports of long work go."""

    def task(self, what: str, total: int | None, unit: str) -> Any:
        """A context manager that yields a `Task`; ``total`` units in all, None if unknown."""

    def say(self, line: str) -> None:
        """A line that the user should see."""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """The figures of one epoch of training."""


class _Nothing:
    def advance(self, count: int = 1) -> None:
        """Say nothing."""


class Silent:
    """Reports nothing; the default of every library function."""

    @contextmanager
    def task(self, what: str, total: int | None, unit: str) -> Iterator[Task]:
        """Yield a task that says nothing."""
        yield _Nothing()

    def say(self, line: str) -> None:
        """Say nothing."""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Say nothing."""
