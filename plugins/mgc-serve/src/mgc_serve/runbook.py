"""Which runs there are, and which answers: looked up anew, so that runs may come and go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import mgc
from mgc_serve.problems import ProblemError
from mgc_serve.work import FIGURES, stamp

Figures = Callable[[mgc.Run], Mapping[str, Any]]


class RunBook:
    """The runs at home; every thread may ask. ``figures`` reads those of a run."""

    def __init__(self, default: str | None, figures: Figures = lambda run: run.figures) -> None:
        self.wanted, self.figures = default, figures
        self._lock = Lock()
        self._known: dict[str, mgc.Run] = {}
        self._default: mgc.Run | None = None
        self._entries: dict[tuple[str, int], dict[str, Any]] = {}

    def known(self, name: str | None) -> mgc.Run | None:
        """A run that was found before and is still there; else None, and `find` looks it up."""
        run = self._default if name is None else self._known.get(name)
        return run if run is not None and stamp(run.folder) else None

    def find(self, name: str | None) -> mgc.Run:
        """A run by name; None is the default. Raises ProblemError if there is none."""
        with self._lock:
            if name is None:
                return self._answering()
            if name not in self._known or not stamp(self._known[name].folder):
                self._known = {run.name: run for run in mgc.finished_runs()}
            if name not in self._known:
                raise ProblemError(
                    404, "unknown-run", f"No run is named {name!r:.80}.", "See: /v1/runs"
                )
            return self._known[name]

    def entries(self) -> list[dict[str, Any]]:
        """What `GET /v1/runs` says of each run."""
        with self._lock:
            self._known = {run.name: run for run in mgc.finished_runs()}
            try:
                default = self._answering().name
            except (ProblemError, mgc.MgcError):  # with several datasets a request must name one
                default = ""
            known = list(self._known.values())
        return [self._entry(run) | {"default": run.name == default} for run in known]

    def _answering(self) -> mgc.Run:
        if self._default is None or not stamp(self._default.folder):
            self._default = mgc.answering_run() if self.wanted is None else self._named(self.wanted)
        if self._default is None:
            hint = "Fit one: mgc fit -e mfcc --data NAME; or get a ready-made one: mgc models get"
            raise ProblemError(409, "no-run", "There is no run yet.", hint)
        return self._default

    def _named(self, name: str) -> mgc.Run | None:
        return next((run for run in mgc.finished_runs() if run.name == name), None)

    def _entry(self, run: mgc.Run) -> dict[str, Any]:
        key = run.name, stamp(run.folder)
        if key not in self._entries:
            try:
                figures = self.figures(run)
            except (mgc.MgcError, OSError):  # a ready-made one, or removed just now
                figures = {}
            self._entries[key] = {
                "name": run.name,
                "label": run.label,
                "genres": run.genres,
                **{name: figures.get(name) for name in FIGURES},
                "members": run.members,
                "ready_made": run.folder.parent.name == "models",
            }
        return self._entries[key]
