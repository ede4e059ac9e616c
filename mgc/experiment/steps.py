"""The fits that a plan asks for, each with the run that already is that fit, if there is one.

A step is identified by what it asks for, not by a separate record: a finished run with the same
identity (`mgc.runs.identity`) *is* the step, whoever made it. A run that an experiment began and
did not finish is continued. A run whose identity is not recorded is not the step: it is made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mgc.fitting import FitRequest
from mgc.fitting.request import head_values, identify, identify_tracks, varies_with_seed
from mgc.plugins.plugin_spec import postponed
from mgc.runs import Run, identity

COMMAND = ("mgc", "experiment", "run")


@dataclass(frozen=True)
class Step:
    """One run that a plan asks for, and the matching run if there is one, finished or begun; if
    not, ``why`` a run that looks alike does not match."""

    name: str
    seed: int
    run: Run | None
    request: FitRequest
    why: str = ""

    @property
    def state(self) -> str:
        """``done``, ``begun`` or ``to do``."""
        if self.run is None:
            return "to do"
        return "done" if self.run.finished else "begun"


def steps(wanted: Sequence[FitRequest], found: Sequence[Run]) -> list[Step]:
    """Each fit with its run, if there is one: the newest finished one, else one that was begun."""
    made, tracks = [], None
    for request in wanted:
        name = f"{request.source.name} · {request.head.name}"
        alike = []
        with postponed():
            asked, varies = asked_of(request), varies_with_seed(request)
            alike = [run for run in found if run.kind == "single" and _made(run, varies) == asked]
        usable = [run for run in alike if is_ours(run)] + [run for run in alike if run.finished]
        if usable:
            tracks = tracks or identify_tracks(request.dataset)
            now = identify(request, tracks)
            same = [run for run in usable if run.record.identity == now]
            why = "" if same else _why(usable[-1], now)
            made.append(Step(name, request.seed, same[-1] if same else None, request, why))
        else:
            made.append(Step(name, request.seed, None, request))
    return made


def _why(run: Run, now: Mapping[str, str]) -> str:
    """Why a run is not the step that it looks like."""
    changed = identity.differing(run.record.identity, now)
    if changed:
        return f"{run.name} is of other {' and '.join(changed)}"
    unknown = sorted(identity.unverified(run.record.identity, now))
    return f"{run.name} does not record its {', '.join(unknown)}, so it is made again"


def asked_of(request: FitRequest) -> tuple[Any, ...]:
    """What tells a fit without looking at the dataset's tracks."""
    head, seed = request.head, request.seed if varies_with_seed(request) else None
    return (
        (request.dataset.name, request.folds, seed, request.source.store.fingerprint),
        (head.name, *head_values(head)),
    )


def _made(run: Run, varies: bool) -> tuple[Any, ...]:
    """The same of a run; see `asked_of`."""
    dataset, head, seed = run.record.dataset, run.record.head, run.record.seed
    return (
        (dataset.name, dataset.folds, seed if varies else None, run.record.extractor.fingerprint),
        (head.name, head.params, head.training),
    )


def is_ours(run: Run) -> bool:
    """Whether an experiment began this run; if not, another command may still be working on it."""
    return not run.finished and tuple(run.record.command[:3]) == COMMAND
