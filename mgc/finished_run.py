"""A run that has results as `mgc` hands it out, and which runs there are."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgc import resolve, runs
from mgc.home import replace_file
from mgc.progress import Progress, Silent

if TYPE_CHECKING:
    from mgc.prediction.model import Model


class FinishedRun(runs.Run):
    """A run that has results: ``mgc.Run``."""

    @property
    def figures(self) -> dict[str, Any]:
        """The figures of the test tracks: accuracy, precision, recall, f1, nll, ece, …"""
        return dict(self.scores["test"])

    @property
    def members(self) -> list[str]:
        """The names of the runs that an ensemble combines; empty for a single run."""
        return list(self.record.members) if self.kind == "ensemble" else []

    def report(
        self, path: str | os.PathLike[str], *, title: str = "", progress: Progress | None = None
    ) -> Path:
        """Write one HTML page about the run and return its path.

        It has the curves, matrices, map and hard tracks that ``mgc report`` shows, with the sound
        of the hard tracks: check who owns the music before you share the page.
        """
        from mgc.reporting.page.build import ReportRequest, make_report

        (source,) = resolve.sources(["mel"], None, resolve.policy(None, None), "cpu")
        page = make_report([self], ReportRequest(title, picture=source), progress or Silent())
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, page.encode("utf-8", errors="replace"))
        return target

    def model(self, device: str = "auto") -> Model:
        """The run, ready to hear audio; see `load`."""
        from mgc.prediction.model import Model

        return Model(self, resolve.device(device))

    def __repr__(self) -> str:
        figures = self.figures
        return (
            f"<Run {self.name}: {self.label}, accuracy {figures['accuracy']:.1%}, "
            f"F1 {figures['f1']:.3f} on {figures['tracks']:,} test tracks>"
        )

    def _repr_html_(self) -> str:
        """The figures as a table, for a notebook."""
        names = ("accuracy", "precision", "recall", "f1", "nll", "ece")
        cells = [f"<td>{name}</td><td>{self.figures[name]:.3f}</td>" for name in names]
        rows = "".join(f"<tr>{cell}</tr>" for cell in cells)
        return f"<table><caption>{escape(self.name)}: {escape(self.label)}</caption>{rows}</table>"


def public(run: runs.Run) -> FinishedRun:
    """A run that has results as ``mgc.Run``."""
    return FinishedRun(run.folder, run.record)


def finished_runs() -> list[FinishedRun]:
    """The runs at home that have results, the oldest first, and the ready-made models here."""
    from mgc.prediction import ready_models

    found = [run for run in runs.everything()[0] if run.finished]
    return [public(run) for run in [*found, *ready_models.here()]]


def answering_run() -> FinishedRun | None:
    """The run that answers if none is named: of the dataset in use, or else a ready-made model;
    None if there is neither."""
    from mgc.prediction import ready_models
    from mgc.runs import answering

    found = ready_models.first() if not runs.names() else None
    if runs.names():
        choice = answering.answering(runs.everything()[0], resolve.dataset_name(None))
        found = choice.run if choice else None
    return public(found) if found else None
