"""Where the figures of a training go: always to a local file, and to a tracker if one is wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mgc.home import replace_file
from mgc.progress import Progress

HISTORY = "history.jsonl"


@dataclass(frozen=True)
class Summary:
    """The result of a run: its test metrics by name, the genres' names, and for each test track
    the genre number (track,) and the probabilities (track, genre)."""

    metrics: Mapping[str, float]
    genres: Sequence[str]
    truth: np.ndarray
    probabilities: np.ndarray


class Tracker(Protocol):
    """Follows one run. An error it raises is reported once and never ends a training."""

    def start(self, config: Mapping[str, Any]) -> None:
        """The run begins; ``config`` is the full request, as nested plain values."""
        ...

    def log(self, row: Mapping[str, Any]) -> None:
        """Log some figures: ``step`` and ``batch_loss``, or those of an ``epoch``."""
        ...

    def finish(self, summary: Summary, folder: Path) -> None:
        """The run is over: its result, and the run folder."""
        ...


class NoTracker:
    """Follows nothing."""

    def start(self, config: Mapping[str, Any]) -> None:
        """Do nothing."""

    def log(self, row: Mapping[str, Any]) -> None:
        """Do nothing."""

    def finish(self, summary: Summary, folder: Path) -> None:
        """Do nothing."""


class Guarded:
    """Passes everything on to a tracker until it fails; reports that once and continues without
    it."""

    def __init__(self, tracker: Tracker | None, progress: Progress) -> None:
        self.tracker = tracker
        self.progress = progress

    def start(self, config: Mapping[str, Any]) -> None:
        """See `Tracker.start`."""
        self._call("start", config)

    def log(self, row: Mapping[str, Any]) -> None:
        """See `Tracker.log`."""
        self._call("log", row)

    def finish(self, summary: Summary, folder: Path) -> None:
        """See `Tracker.finish`."""
        self._call("finish", summary, folder)

    def _call(self, method: str, *arguments: Any) -> None:
        if self.tracker is None:
            return
        try:
            getattr(self.tracker, method)(*arguments)
        except Exception as error:  # whatever a tracker does, the training continues
            self.tracker = None
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self.progress.say(f"Tracking has stopped ({reason}). The training continues.")


class Named:
    """One of several trainings of a run (a fold, a seed): its rows carry its name."""

    def __init__(self, tracker: Tracker, name: str) -> None:
        self.tracker = tracker
        self.name = name

    def start(self, config: Mapping[str, Any]) -> None:
        """See `Tracker.start`."""
        self.tracker.start(config)

    def log(self, row: Mapping[str, Any]) -> None:
        """See `Tracker.log`; the row gets a ``part``."""
        self.tracker.log({**row, "part": self.name})

    def finish(self, summary: Summary, folder: Path) -> None:
        """See `Tracker.finish`."""
        self.tracker.finish(summary, folder)


def write_history(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write all epochs so far as JSON lines into ``folder``."""
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    replace_file(folder / HISTORY, text.encode())


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The epochs that `write_history` wrote; none if there is no such file."""
    path = folder / HISTORY
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]
