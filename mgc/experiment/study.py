"""Carries out a plan step by step; steps that are already done are not repeated.

Any number of processes may work on plans in one home: whoever takes a step claims it, and a claim
ends with its process. What others have claimed is left to them, and waited for at the end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mgc import fitting, runs
from mgc.audio.processes.locks import ReservedError, claimed
from mgc.datasets import table
from mgc.datasets.importers import importing
from mgc.ensembling.combination import EnsembleRequest, LearnFrom, StrategySpec
from mgc.ensembling.ensemble_runs import ensemble
from mgc.errors import MgcError, UsageError, counted, unknown
from mgc.experiment.plan import Plan
from mgc.experiment.steps import COMMAND, Step, asked_of, is_ours, steps
from mgc.fitting import FitRequest, FoldWorkers
from mgc.fitting.prepared import Prepared
from mgc.plugins.params import as_dict
from mgc.progress import Progress, Silent
from mgc.runs import Run, identity
from mgc.runs.selection import by_seed

__all__ = ["COMMAND", "Step", "StudyResult", "perform", "requests", "steps"]
DEMO = "demo"
POLL_SECONDS = 0.5  # how often fits that others have claimed are tried again


@dataclass(frozen=True)
class StudyResult:
    """The outcome of a plan: its runs, and the steps that failed, each with its error; ``lacking``
    counts the fits of other parts that are not done yet."""

    runs: Sequence[Run]
    failures: Sequence[tuple[str, MgcError]]
    lacking: int = 0


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
        pooled=plan.pooled,
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


def perform(
    plan: Plan,
    command: Sequence[str],
    progress: Progress | None = None,
    *,
    workers: FoldWorkers | None = None,
    only: tuple[int, int] | None = None,
    on: str | None = None,
) -> StudyResult:
    """Fit, combine, and return all runs of the plan.

    What fails is recorded and the others continue; a seed with a failed fit gets no
    ensembles. ``workers`` train the folds side by side (`mgc.fitting.side_by_side`); features are
    extracted ``on`` a cluster. ``only`` (3, 16) makes the third of 16 equal parts of the fits, and
    the ensembles once all fits are done.
    """
    progress = progress or Silent()
    with claimed(f"the dataset {plan.dataset}", wait=progress):
        ensure_dataset(plan, progress)
    wanted = requests(plan, command)
    todo = steps(wanted, runs.everything()[0])
    mine = todo if only is None else todo[only[0] - 1 :: only[1]]
    made, failures = _fit(mine, progress, workers, on)
    if once := fitting.fitted_once(wanted, len(plan.seeds)):
        progress.say(once)
    if only is not None:
        todo = steps(wanted, runs.everything()[0])
        if lacking := sum(step.state != "done" for step in todo):
            return StudyResult(made, failures, lacking)
        made = [step.run for step in todo if step.run]
    with claimed("the ensembles", wait=progress):  # they take seconds: one process makes them all
        found = _settled()
        for members in by_seed(made):
            if len(members) == len({step.name for step in todo}):
                combined, failed = _combine(plan, command, members, found, progress)
                made, failures = [*made, *combined], [*failures, *failed]
    return StudyResult(made, failures)


def _settled() -> list[Run]:
    """All runs, without the ensembles that an experiment began and did not finish: they are made
    again."""
    found = runs.everything()[0]
    for run in found:
        if run.kind == "ensemble" and is_ours(run):
            runs.remove(run.name)
    return found


def _combine(
    plan: Plan,
    command: Sequence[str],
    members: Sequence[Run],
    found: Sequence[Run],
    progress: Progress,
) -> tuple[list[Run], list[tuple[str, MgcError]]]:
    """The ensembles of one seed's runs, and what failed."""
    learn_from: LearnFrom = "out-of-fold" if plan.learn_from == "out-of-fold" else "validation"
    made: list[Run] = []
    failures: list[tuple[str, MgcError]] = []
    for name, calibrate in plan.ensembles:
        spec = StrategySpec(name, plan.strategy.get(name, {}))
        request = EnsembleRequest(spec, calibrate, learn_from, command=tuple(command))
        try:
            made.append(_ensemble(request, members, found, progress))
        except MgcError as error:
            failures.append((f"{name} of {members[0].name}, …", error))
            progress.say(f"{name}: {error.message} {error.hint}")
    return made, failures


def _fit(
    todo: Sequence[Step], progress: Progress, workers: FoldWorkers | None, on: str | None
) -> tuple[list[Run], list[tuple[str, MgcError]]]:
    """All runs, in the order of the steps, and what failed."""
    ready: dict[str, Prepared] = {}
    if missing := [step.request for step in todo if step.state != "done"]:
        ready = fitting.prepare_for(missing, progress, on)
    made: dict[int, Run] = {}
    failures: list[tuple[str, MgcError]] = []
    waiting = dict(enumerate(todo, 1))
    while waiting:
        begun = len(waiting)
        for number, job in _jobs(waiting, len(todo), ready, progress, workers).items():
            step = waiting[number]
            try:
                made[number] = job()
            except ReservedError:
                continue
            except MgcError as error:
                failures.append((f"{step.name}, seed {step.seed}", error))
                progress.say(f"{step.name}, seed {step.seed}: {error.message} {error.hint}")
            del waiting[number]
        if len(waiting) == begun:
            time.sleep(POLL_SECONDS)
        elif waiting:
            others = counted(len(waiting), "fit")
            progress.say(f"Waiting for {others} that other processes are making.")
    return [made[number] for number in sorted(made)], failures


def _jobs(
    waiting: Mapping[int, Step],
    count: int,
    ready: Mapping[str, Prepared],
    progress: Progress,
    workers: FoldWorkers | None,
) -> dict[int, Callable[[], Run]]:
    """What makes each of these runs; with workers, it has begun."""
    jobs: dict[int, Callable[[], Run]] = {}
    for number, step in waiting.items():
        about = f"{number} of {count}: {step.name}, seed {step.seed}"
        job = partial(_one, step, about, ready, progress, workers)
        jobs[number] = workers.started(job) if workers else job
    return jobs


def _one(
    step: Step,
    about: str,
    ready: Mapping[str, Prepared],
    progress: Progress,
    workers: FoldWorkers | None,
) -> Run:
    """The run of a step. Raises ReservedError if another process is making it."""
    if step.run is not None and step.run.finished:
        progress.say(f"{about}: already done, {step.run.name}")
        return step.run
    request = step.request
    with claimed("a fit", json.dumps(asked_of(request), sort_keys=True)):
        [now] = steps([request], runs.everything()[0])
        if now.run is not None and now.run.finished:
            progress.say(f"{about}: done by another process, {now.run.name}")
            return now.run
        if now.run is not None:
            progress.say(f"{about}: continuing {now.run.name}")
            return fitting.resume(now.run.name, progress, workers)
        progress.say(f"{about} ({now.why})" if now.why else about)
        return fitting.fit(request, progress, ready.get(request.features), workers)


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
