"""``mgc fit``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mgc.cli.ui import choice, options, output
from mgc.cli.ui.live import progress
from mgc.errors import MgcError, UsageError

if TYPE_CHECKING:
    from mgc.fitting import FitRequest
    from mgc.runs import Run


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
        int, typer.Option(help="Repeat with this many seeds, counting up from --seed.", min=1)
    ] = 1,
    settings: options.Settings = None,
    clip_seconds: options.ClipSeconds = None,
    clips_per_track: options.ClipsPerTrack = None,
    device: options.Device = "auto",
    include_bad: options.IncludeBad = False,
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
) -> None:
    """Train: extract what is missing, fit, score the test split once, write a run folder."""
    from mgc import fitting
    from mgc.training import processes

    if not processes.is_main():  # only one of several processes reports
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    if resume is not None:
        others = (extractor, head, data, settings, clip_seconds, clips_per_track, track)
        if any(others) or folds or seed or seeds > 1 or include_bad:
            raise UsageError(
                "--resume uses the run's original options and takes no others.",
                f"Run: mgc fit --resume {resume}",
            )
        _report([fitting.resume(resume, progress())])
        return
    if not extractor:
        raise UsageError("Which extractor?", "For example: mgc fit --extractor mfcc")
    requests = fitting.requests(
        data=data,
        extractors=extractor,
        heads=head or [],
        folds=folds,
        seeds=range(seed, seed + seeds),
        assignments=settings or [],
        clip_seconds=clip_seconds,
        clips_per_track=clips_per_track,
        device=device,
        include_bad=include_bad,
        command=["mgc", *sys.argv[1:]],
        tracking=None
        if track is None
        else {"mode": wandb_mode, "project": wandb_project, "entity": wandb_entity},
    )
    if not head:
        output.note(
            f"head: {requests[0].head.name} (the default on {requests[0].device}; "
            "others: mgc heads list)"
        )
    _report(_fit_all(requests), len(requests))


def _fit_all(requests: list[FitRequest]) -> list[Run]:
    """Fit one after the other; report what fails and continue with the rest."""
    from mgc import fitting

    done, errors = [], []
    news = progress()
    prepared = fitting.prepare_for(requests, news)
    for request in requests:
        what = f"{request.source.name} · {request.head.name}"
        output.note(f"fitting {what}, seed {request.seed}")
        try:
            ready = prepared[request.source.store.fingerprint]
            done.append(fitting.fit(request, news, ready))
        except MgcError as error:
            if len(requests) == 1:
                raise
            errors.append(error)
            output.note(f"{what}: {error.message} {error.hint}")
    if errors and not done:
        raise type(errors[0])(
            f"None of {output.count(len(requests), 'fit')} succeeded.",
            "The reasons are listed above.",
        )
    return done


def _report(done: list[Run], asked: int = 1) -> None:
    """Show the runs; leave with 1 if fewer than asked for succeeded."""
    rows = []
    for run in done:
        tracks, seconds = run.record.metrics["test"]["tracks"], f"{run.record.seconds:.0f}"
        rows.append(choice.test_figures(run) | {"tracks": tracks, "seconds": seconds})
    output.show_records(rows, "lr")
    failures = done[0].record.failures
    if failures:
        output.note(f"{output.count(len(failures), 'file')} could not be used:")
        for failure in failures[:20]:
            output.note(f"  {failure['reason']}")
    choice.say_next(done[-1].record.dataset.name)
    if len(done) < asked:
        raise typer.Exit(1)
