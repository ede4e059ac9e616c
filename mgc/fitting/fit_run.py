"""Train every fold, predict all its parts, score the test rows once, write the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Any

import numpy as np
import pandas as pd

from mgc import resolve, runs
from mgc.audio.processes.locks import ReservedError
from mgc.datasets import splits
from mgc.errors import MgcError, UsageError
from mgc.fitting.fold_workers import FoldWorkers, fold_request
from mgc.fitting.music_reference import fit_reference
from mgc.fitting.pooled import prepare_requests
from mgc.fitting.prepared import Prepared, doubts, make_folds
from mgc.fitting.request import FitRequest, check_fits, describe, identify, load_request
from mgc.plugins import plugin_process
from mgc.plugins.plugin_spec import postponed
from mgc.progress import Progress, Silent
from mgc.runs import PREFIX, Run, metrics, state
from mgc.training import processes
from mgc.training.fit import fit_head, held_out_answers
from mgc.training.tracking import Guarded, Summary, Tracker, WandbSettings, WandbTracker


def fit(
    request: FitRequest,
    progress: Progress | None = None,
    prepared: Prepared | None = None,
    workers: FoldWorkers | None = None,
) -> Run:
    """Fit one extractor × head on a dataset and return the finished run.

    A run of the same request that was interrupted, and that no other process continues, is
    continued. ``prepared`` saves repeated work if several requests share a dataset and extractor;
    ``workers`` train the folds side by side (`mgc.fitting.side_by_side`). Raises MgcError if
    nothing can be fitted; files that cannot be used are left out of every part and listed in the
    run.
    """
    progress = progress or Silent()
    check_fits(request.source, request.head, request.pooled)
    if prepared is None:
        prepared = prepare_for([request], progress)[request.features]
    prepared.check()
    name = f"{request.dataset.name}-{request.source.name}-{request.head.name}"
    folder = ""
    with ExitStack() as held:
        if processes.is_main():

            def reserve(run: Run) -> None:
                held.enter_context(state.locked(run.folder))

            begun = _interrupted(request, reserve, progress)
            folder = str((begun or runs.start(name, describe(request, prepared), reserve)).folder)
        run = runs.load(processes.from_main(folder))
        with _failure_recorded(run):
            return _train(run, request, prepared, progress, workers)


def _interrupted(
    request: FitRequest, reserve: Callable[[Run], None], progress: Progress
) -> Run | None:
    """The newest run of the same request that was interrupted and can be reserved, if there is
    one."""
    untracked, pooled = request.tracking is None, request.pooled
    asked = request.dataset.name, request.head.name, request.device, untracked, pooled
    now: Mapping[str, str] = {}
    for run in reversed(runs.everything()[0]):
        record = run.record
        untracked = record.tracking is None
        begun = record.dataset.name, record.head.name, record.device, untracked, record.pooled
        if begun != asked or record.state != "running" or not record.identity:
            continue
        now = now or identify(request)  # reads the hashes of all tracks: once, and only if needed
        if record.identity == now:
            with suppress(ReservedError):
                reserve(run)
                progress.say(f"Continuing run {run.name}, which was interrupted.")
                return run
    return None


def prepare_for(
    wanted: list[FitRequest], progress: Progress, on: str | None = None
) -> dict[str, Prepared]:
    """Features for all requests on a dataset, by their `FitRequest.features`; a source that
    cannot be set up is left out. They are extracted ``on`` a cluster, if one is given."""
    first = wanted[0]
    asked_for = {(request.folds, request.seed) for request in wanted}
    divisions = [make_folds(first.dataset, *each) for each in asked_for]  # fail now, not later
    said = [doubt for folds in divisions for doubt in doubts(first.dataset, folds)]
    for doubt in said:
        progress.say(f"Note: {doubt}")
    asked = {}
    for request in wanted:
        with postponed():
            check_fits(request.source, request.head, request.pooled)
            asked[request.features] = request
    if not asked:
        return {}
    processes.meet(first.device)
    with processes.main_first():
        prepared = prepare_requests(asked, progress, on)
    left = [ready.thinned(folds) for ready in prepared.values() for folds in divisions]
    found = [doubt for folds in left for doubt in doubts(first.dataset, folds) if doubt not in said]
    for doubt in dict.fromkeys(found):
        progress.say(f"Note, as some tracks cannot be used: {doubt}")
    return prepared


def resume(name: str, progress: Progress | None = None, workers: FoldWorkers | None = None) -> Run:
    """Continue a run that was interrupted; a finished one is returned unchanged.

    Finished folds are kept; the one in progress continues from its last epoch's checkpoint.
    """
    progress = progress or Silent()
    run = runs.load(name)
    if run.kind != "single":
        raise UsageError(f"Run {name!r} is an ensemble.", "Create it again: mgc ensemble …")
    if run.finished:
        return run
    request = load_request(run, resolve.dataset(run.record.dataset.name))
    prepared = prepare_for([request], progress)[request.features]
    with state.locked(run.folder) if processes.is_main() else nullcontext(), _failure_recorded(run):
        return _train(run, request, prepared, progress, workers)


@contextmanager
def _failure_recorded(run: Run) -> Iterator[None]:
    try:
        yield
    except MgcError as error:
        if processes.is_main():
            state.fail(run, error.message)
        raise


def _train(
    run: Run,
    request: FitRequest,
    prepared: Prepared,
    progress: Progress,
    workers: FoldWorkers | None,
) -> Run:
    """Train what is not trained yet; see `fit`."""
    begun = time.perf_counter()
    wandb = None
    if run.record.tracking is not None and processes.is_main():
        wandb = WandbTracker(run.name, WandbSettings(**run.record.tracking))
    tracker = Guarded(wandb, progress)
    tracker.start(dict(run.record))
    folds = prepared.folds(request.folds, request.seed)
    if workers:
        answers = workers.train(run, [fold.number for fold in folds])
    else:
        answers = []
        apart = plugin_process.is_wanted(request.head.entry.distribution)
        fit_one = _fit_apart if apart else fit_fold
        for fold in folds:
            if len(folds) > 1:
                progress.say(f"fold {fold.number + 1} of {len(folds)}")
            answers.append(fit_one(run, request, prepared, fold, progress, tracker))
    tables = [
        _table(prepared, fold, answer[0]) for fold, answer in zip(folds, answers, strict=True)
    ]
    predictions: pd.DataFrame = pd.concat(tables, ignore_index=True)
    figures = {"metrics": metrics.scores(run, predictions), "seconds": time.perf_counter() - begun}
    if processes.is_main():
        if reference := fit_reference(prepared, folds, request.head.learns):
            reference.save(run.folder)
        made = [embedding for _, embedding in answers]
        embeddings = made[0] if len(made) == 1 else np.concatenate(made)
        done = runs.finish(run, predictions, embeddings, figures)
        tracker.finish(_summary(done), done.folder)
        if wandb is not None and wandb.where:
            progress.say(wandb.where)
    processes.wait()
    return runs.load(str(run.folder))


def fit_fold(
    run: Run,
    request: FitRequest,
    prepared: Prepared,
    fold: splits.Fold,
    progress: Progress,
    tracker: Tracker | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Train a fold, or read it back; return the probabilities and the embedding of its tracks.

    The validation tracks are answered by a fit that has not learnt from them; their embedding is
    that of the fit that answers all others.
    """
    name = f"fold-{fold.number}"
    data = prepared.data_for(fold)
    fitted = fit_head(
        request.head,
        data,
        fold.training,
        fold.validation,
        seed=request.seed + fold.number,
        device=request.device,
        folder=run.folder / name,
        progress=progress,
        tracker=Guarded(tracker, progress, name if request.folds > 1 else ""),
        resume=True,
    )
    probabilities, embedding = fitted.predict_tracks(data, _rows(fold))
    answers = held_out_answers(run.folder / name)
    if answers is not None:
        start = len(fold.training)
        probabilities[start : start + len(fold.validation)] = answers
    return probabilities, embedding


def _fit_apart(
    run: Run,
    request: FitRequest,
    _: Prepared,
    fold: splits.Fold,
    progress: Progress,
    tracker: Tracker,
) -> tuple[np.ndarray, np.ndarray]:
    """`fit_fold` in a process of the head's own."""
    hears: dict[str, Callable[[Any], None]] = {
        "say": progress.say,
        "epoch": progress.epoch,
        "log": tracker.log,
    }
    answer = plugin_process.ask(
        request.head,
        "mgc.fitting.fold_training:training",
        fold_request(run, fold.number, told=True),
        told=lambda said: hears[said[0]](said[1]),
    )
    return answer["probabilities"], answer["embedding"]


def _summary(run: Run) -> Summary:
    rows = run.rows("test")
    test = run.record.metrics["test"]
    figures = {f"test_{name}": test[name] for name in ("accuracy", "f1", "nll", "ece")}
    return Summary(figures, run.genres, run.truth(rows), run.probabilities(rows))


def _rows(fold: splits.Fold) -> np.ndarray:
    """A fold's tracks in the order of the predictions, those of the training part included."""
    return np.concatenate([getattr(fold, part) for part in runs.PARTS])


def _table(prepared: Prepared, fold: splits.Fold, probabilities: np.ndarray) -> pd.DataFrame:
    """The predictions table of one fold."""
    rows = _rows(fold)
    parts = np.repeat(runs.PARTS, [len(getattr(fold, part)) for part in runs.PARTS])
    tracks = prepared.kept.iloc[rows]
    root, genres = prepared.dataset.root, prepared.dataset.genres
    table = tracks[["track_id", "genre", "artist", "title"]].reset_index(drop=True)
    table["path"] = [str(root / path) for path in tracks["path"]]
    table["audio"] = np.array(prepared.audio_keys)[rows]
    table["group"] = prepared.data.groups[rows]
    table["fold"], table["part"] = fold.number, parts
    columns = [PREFIX + genre for genre in genres]
    return pd.concat([table, pd.DataFrame(probabilities, columns=columns)], axis=1)
