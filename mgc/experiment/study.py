"""Carries out a plan step by step; steps that are already done are not repeated.

A step is identified by what it asks for, not by a separate record: a finished run with the same
identity (`mgc.runs.identity`) *is* the step, whoever made it. A run that an experiment began and
did not finish is continued. A run whose identity is not recorded is not the step: it is made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc import fitting, runs
from mgc.datasets import table
from mgc.datasets.importers import importing
from mgc.ensembling.combination import EnsembleRequest, LearnFrom, StrategySpec
from mgc.ensembling.ensemble_runs import ensemble
from mgc.errors import MgcError, UsageError, unknown
from mgc.experiment.plan import Plan
from mgc.fitting import FitRequest
from mgc.fitting.request import head_values, identify, identify_tracks, varies_with_seed
from mgc.plugins.params import as_dict
from mgc.plugins.plugin_spec import postponed
from mgc.progress import Progress, Silent
from mgc.runs import Run, identity
from mgc.runs.selection import by_seed

COMMAND = ("mgc", "experiment", "run")
DEMO = "demo"


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


@dataclass(frozen=True)
class StudyResult:
    """The outcome of a plan: its runs, and the steps that failed, each with its error."""

    runs: Sequence[Run]
    failures: Sequence[tuple[str, MgcError]]


def requests(plan: Plan, command: Sequence[str]) -> list[FitRequest]:
    """The fits that a plan asks for, all checked. Raises UsageError if one is impossible."""
    wanted = fitting.requests(
        data=plan.dataset,
        extractors=plan.extractors,
        heads=plan.heads,
        folds=plan.folds,
        seeds=plan.seeds,
        assignments=plan.assignments,
        clip_seconds=plan.clip_seconds,
        clips_per_track=plan.clips_per_track,
        device=plan.device,
        command=command,
    )
    rows = plan.rows(list(dict.fromkeys(request.head.name for request in wanted)))
    for one in plan.published:
        if one.row and one.row not in rows:
            raise unknown("row of this experiment", one.row, rows, "mgc experiment show FILE")
    return wanted


def ensure_dataset(plan: Plan, progress: Progress) -> None:
    """Make or add the dataset if it is missing. Raises UsageError if its source is not given."""
    if plan.dataset in table.names():
        return
    if plan.path:
        importing.add_path(
            plan.dataset,
            Path(plan.path),
            group_by=None,
            seed=0,
            drop_rare=False,
            rules=plan.names,
        )
    elif plan.dataset == DEMO:
        importing.add_demo(DEMO, seed=0, progress=progress)
    else:
        get = "download" if plan.dataset.startswith("fma-") else "add"
        raise UsageError(
            f"Experiment {plan.name!r} needs the dataset {plan.dataset!r}, which is missing.",
            f"Run: mgc data {get} {plan.dataset}{'' if get == 'download' else ' PATH'}",
        )


def steps(wanted: Sequence[FitRequest], found: Sequence[Run]) -> list[Step]:
    """Each fit with its run, if there is one: the newest finished one, else one that was begun."""
    made, tracks = [], None
    for request in wanted:
        name = f"{request.source.name} · {request.head.name}"
        alike = []
        with postponed():
            asked, varies = _asked(request), varies_with_seed(request)
            alike = [run for run in found if run.kind == "single" and _made(run, varies) == asked]
        usable = [run for run in alike if _ours(run)] + [run for run in alike if run.finished]
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


def _asked(request: FitRequest) -> tuple[Any, ...]:
    """What tells a fit without looking at the dataset's tracks."""
    head, seed = request.head, request.seed if varies_with_seed(request) else None
    return (
        (request.dataset.name, request.folds, seed, request.source.store.fingerprint),
        (head.name, *head_values(head)),
    )


def _made(run: Run, varies: bool) -> tuple[Any, ...]:
    """The same of a run; see `_asked`."""
    dataset, head, seed = run.record.dataset, run.record.head, run.record.seed
    return (
        (dataset.name, dataset.folds, seed if varies else None, run.record.extractor.fingerprint),
        (head.name, head.params, head.training),
    )


def _ours(run: Run) -> bool:
    """Whether an experiment began this run; if not, another command may still be working on it."""
    return not run.finished and tuple(run.record.command[:3]) == COMMAND


def perform(plan: Plan, command: Sequence[str], progress: Progress | None = None) -> StudyResult:
    """Fit, combine, and return all runs of the plan.

    What fails is recorded and the others continue; a seed with a failed fit gets no
    ensembles.
    """
    progress = progress or Silent()
    ensure_dataset(plan, progress)
    wanted = requests(plan, command)
    found = runs.everything()[0]
    todo = steps(wanted, found)
    made, failures = _fit(todo, progress)
    if once := fitting.fitted_once(wanted, len(plan.seeds)):
        progress.say(once)
    for run in found:  # an ensemble takes seconds, so one that was interrupted is made again
        if run.kind == "ensemble" and _ours(run):
            runs.remove(run.name)
    learn_from: LearnFrom = "out-of-fold" if plan.learn_from == "out-of-fold" else "validation"
    combined: list[Run] = []
    complete = len({step.name for step in todo})
    for members in [group for group in by_seed(made) if len(group) == complete]:
        for name, calibrate in plan.ensembles:
            spec = StrategySpec(name, plan.strategy.get(name, {}))
            request = EnsembleRequest(spec, calibrate, learn_from, command=tuple(command))
            try:
                combined.append(_ensemble(request, members, found, progress))
            except MgcError as error:
                failures.append((f"{name} of {members[0].name}, …", error))
                progress.say(f"{name}: {error.message} {error.hint}")
    return StudyResult([*made, *combined], failures)


def _fit(todo: Sequence[Step], progress: Progress) -> tuple[list[Run], list[tuple[str, MgcError]]]:
    missing = [step.request for step in todo if step.state != "done"]
    ready = fitting.prepare_for(missing, progress) if missing else {}
    made, failures = [], []
    for number, step in enumerate(todo, 1):
        about = f"{number} of {len(todo)}: {step.name}, seed {step.seed}"
        try:
            made.append(_one(step, about, ready, progress))
        except MgcError as error:
            failures.append((f"{step.name}, seed {step.seed}", error))
            progress.say(f"{about}: {error.message} {error.hint}")
    return made, failures


def _one(step: Step, about: str, ready: dict[str, Any], progress: Progress) -> Run:
    if step.run is not None and step.run.finished:
        progress.say(f"{about}: already done, {step.run.name}")
        return step.run
    if step.run is not None:
        progress.say(f"{about}: continuing {step.run.name}")
        return fitting.resume(step.run.name, progress)
    progress.say(f"{about} ({step.why})" if step.why else about)
    return fitting.fit(step.request, progress, ready.get(step.request.source.store.fingerprint))


def _ensemble(
    request: EnsembleRequest, members: Sequence[Run], found: Sequence[Run], progress: Progress
) -> Run:
    """One ensemble of a seed's runs: the one that there is, or a new one."""
    same = [run for run in found if _combines(run, request, members)]
    if same:
        return same[-1]
    progress.say(f"{request.spec.name}{', calibrated' if request.calibrate else ''}")
    return ensemble(request, members)


def _combines(run: Run, request: EnsembleRequest, members: Sequence[Run]) -> bool:
    """Whether a run is this ensemble of these members."""
    if run.kind != "ensemble" or not run.finished:
        return False
    made, spec = run.record.strategy, request.spec
    asked = (spec.name, spec.entry.version, as_dict(spec.params))
    return (
        (made.name, made.version, made.params) == asked
        and (made.calibrate, made.learn_from) == (request.calibrate, request.learn_from)
        and run.record.members == [member.name for member in members]
        and run.record.identity == identity.of_members(members)
    )
