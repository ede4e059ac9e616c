"""``mgc fit``."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mgc.cli.ui import choice, options, output
from mgc.cli.ui.live import progress
from mgc.errors import UsageError

if TYPE_CHECKING:
    from mgc.datasets.table import Dataset
    from mgc.fitting import FitRequest
    from mgc.runs import Run

WANDB = {"mode": "offline", "project": "mgc", "entity": None}  # the defaults of --wandb-…
DEFAULT_HEADS = ["logistic", "cnn"]  # without --head: on a CPU, on a GPU


def fit(
    extractor: Annotated[
        list[str] | None,
        typer.Option("--extractor", "-e", help="Feature extractor (repeatable: one run each)."),
    ] = None,
    head: Annotated[
        list[str] | None,
        typer.Option(help="Head (repeatable); default: cnn on a GPU, else logistic."),
    ] = None,
    data: options.DataName = None,
    folds: Annotated[
        int, typer.Option(help="K-fold cross-validation; 0 uses the dataset's own split.", min=0)
    ] = 0,
    seed: options.Seed = 0,
    seeds: Annotated[
        int,
        typer.Option(
            help="Repeat with this many seeds, counting up from --seed.",
            min=1,
            max=options.MAX_SEEDS,
        ),
    ] = 1,
    settings: options.Settings = None,
    clip_seconds: options.ClipSeconds = None,
    clips_per_track: options.ClipsPerTrack = None,
    device: options.Device = "auto",
    jobs: options.Jobs = None,
    include_bad: options.IncludeBad = False,
    pooled: Annotated[
        bool,
        typer.Option(
            "--pooled",
            help="Keep pooled statistics instead of whole sequences, for heads that scikit-learn "
            "fits: the same run from far smaller features; each file is decoded twice.",
        ),
    ] = False,
    track: Annotated[
        Literal["wandb"] | None,
        typer.Option(help="Log the training to a tracker (default: local files only)."),
    ] = None,
    wandb_mode: Annotated[
        Literal["offline", "online"],
        typer.Option(help="offline only writes files; online uploads them."),
    ] = "offline",
    wandb_project: Annotated[str, typer.Option(help="Project at W&B.")] = "mgc",
    wandb_entity: Annotated[str | None, typer.Option(help="User or team at W&B.")] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Continue an interrupted run.")
    ] = None,
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
) -> None:
    """Train: extract what is missing, fit, score the test split once, write a run folder."""
    from mgc.training import processes

    if not processes.is_main():  # only one of several processes reports
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    tracking = {"mode": wandb_mode, "project": wandb_project, "entity": wandb_entity}
    unused = {f"--wandb-{name}": value != WANDB[name] for name, value in tracking.items()}
    if resume is not None:
        others = (extractor, head, data, settings, clip_seconds, clips_per_track, track, words)
        numbers = (folds, seed, seeds > 1, include_bad, pooled, device != "auto")
        _resume(resume, any([*others, *numbers, *unused.values()]), jobs)
        return
    if track is None:
        options.refuse_unused("without --track wandb", unused)
    elif jobs is not None:
        options.refuse_unused("with --track: workers log nothing", {"--jobs": jobs})
    dataset = _checked(extractor or [], head or [], data, settings or [], words or [], jobs)
    from mgc import fitting

    requests = fitting.requests(
        data=dataset,
        extractors=extractor or [],
        heads=head or [],
        folds=folds,
        seeds=range(seed, seed + seeds),
        assignments=settings or [],
        clip_seconds=clip_seconds,
        clips_per_track=clips_per_track,
        device=device,
        include_bad=include_bad,
        command=["mgc", *sys.argv[1:]],
        tracking=None if track is None else tracking,
        pooled=pooled,
    )
    _say_about(requests, seeds, chosen=bool(head))
    done, failed = _fit_all(requests, jobs)
    _report(done)
    choice.end_with(failed, len(requests))


def _say_about(requests: list[FitRequest], seeds: int, chosen: bool) -> None:
    """Which head was taken if none was asked for, and what is fitted once for all seeds."""
    from mgc import fitting

    if not chosen:
        output.note(
            f"head: {requests[0].head.name} (the default on {requests[0].device}; "
            "others: mgc heads list)"
        )
    if once := fitting.fitted_once(requests, seeds):
        output.note(once)


def _checked(
    extractors: list[str],
    heads: list[str],
    data: str | None,
    settings: list[str],
    words: list[str],
    jobs: int | None,
) -> Dataset:
    """The dataset. Refuses wrong names before anything slow is imported; then workers may start."""
    from mgc import resolve
    from mgc.plugins import plugin_process, registry

    if not extractors:
        raise UsageError("Which extractor?", "For example: mgc fit --extractor mfcc")
    known = {entry.info.name for entry in registry.catalogue().entries("head")}
    option, given = ("--head", heads) if {*words} & known else ("-e", extractors)
    options.one_name_each(option, given, words)
    resolve.check_settings(extractors, heads or DEFAULT_HEADS, settings)
    dataset = resolve.dataset(resolve.dataset_name(data))
    if jobs is None:
        plugin_process.start_ahead("head", heads, "mgc.fitting.fold_training")
    return dataset


def _resume(name: str, others: bool, jobs: int | None) -> None:
    from mgc import runs

    if others:
        raise UsageError(
            "--resume uses the run's original options and takes no others.",
            f"Run: mgc fit --resume {name}",
        )
    runs.load(name)
    from mgc import fitting

    with fitting.side_by_side(jobs) as workers:
        _report([fitting.resume(name, progress(), workers)])


def _fit_all(requests: list[FitRequest], jobs: int | None) -> tuple[list[Run], int]:
    """Fit one after the other, or ``jobs`` folds at once: the runs, and how many fits failed."""
    from mgc import fitting

    with fitting.side_by_side(jobs) as workers:
        news = progress()
        prepared = fitting.prepare_for(requests, news)

        def fit_one(request: FitRequest) -> Run:
            output.note(f"fitting {_named(request)}, seed {request.seed}")
            return fitting.fit(request, news, prepared.get(request.features), workers)

        makes = [partial(fit_one, request) for request in requests]
        made = [workers.started(make) for make in makes] if workers else makes
        return choice.one_by_one(list(zip(map(_named, requests), made, strict=True)))


def _named(request: FitRequest) -> str:
    return f"{request.source.name} · {request.head.name}"


def _report(done: list[Run]) -> None:
    rows = []
    for run in done:
        tracks, seconds = run.scores["test"]["tracks"], f"{run.record.seconds or 0:.0f}"
        rows.append(choice.test_figures(run) | {"tracks": tracks, "seconds": seconds})
    output.show_records(rows, "lr")
    choice.say_doubts(done)
    failures = done[0].record.failures
    if failures:
        output.note(f"{output.count(len(failures), 'file')} could not be used:")
        for failure in failures[:20]:
            output.note(f"  {failure['reason']}")
    choice.say_next(done[-1].record.dataset.name)
