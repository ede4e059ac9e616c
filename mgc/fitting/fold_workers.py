"""Folds side by side: each in a process with one thread, whose run folders this process makes.

Fits run in threads of this process, which put the folds of all of them into one queue. A worker
gets names alone: it reads the request from the run's folder, and the features from their store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np

from mgc import resolve, runs
from mgc.audio.processes.worker import tell
from mgc.audio.processes.workers import Workers
from mgc.errors import AudioError, MgcError, UsageError
from mgc.fitting.fit_run import fit_fold, fold_request, prepare_for
from mgc.fitting.prepared import Prepared
from mgc.fitting.request import load_request
from mgc.plugins import plugin_process
from mgc.progress import Silent
from mgc.runs import Run
from mgc.training import processes
from mgc.training.head_spec import HeadSpec
from mgc.training.tracking import Tracker

T = TypeVar("T")
Answer = Mapping[str, Any]  # of a worker: the probabilities and the embedding of a fold's tracks


class FoldWorkers:
    """``count`` workers that ``ask`` reaches: a fold is handed to the one that is free."""

    def __init__(self, count: int, ask: Callable[[Mapping[str, Any]], Answer]) -> None:
        self.ask = ask
        self.fits = ThreadPoolExecutor(count, "fit")
        self.folds = ThreadPoolExecutor(count, "fold")

    def started(self, make: Callable[[], T]) -> Callable[[], T]:
        """Begin a fit once fewer than ``count`` are in progress; what is returned waits for it."""
        return self.fits.submit(make).result

    def train(self, run: Run, folds: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The probabilities and the embedding of each fold's tracks, see `fit_fold`."""
        asked = [fold_request(run, fold) for fold in folds]
        made: list[Future[Answer]] = [self.folds.submit(self.ask, one) for one in asked]
        try:
            answers = [one.result() for one in made]
        finally:  # if one failed, the others must not go on in a folder that is free again
            wait([one for one in made if not one.cancel()])
        return [(answer["probabilities"], answer["embedding"]) for answer in answers]

    def close(self) -> None:
        """Begin nothing more, and wait for what is in progress."""
        for threads in (self.fits, self.folds):
            threads.shutdown(wait=False, cancel_futures=True)
        for threads in (self.fits, self.folds):
            threads.shutdown()


@contextmanager
def side_by_side(
    jobs: int | None, on: str | None = None, gpu_share: float = 1.0
) -> Iterator[FoldWorkers | None]:
    """Workers for this many folds at once, or those of a Ray cluster; None (one after the other,
    here) if ``jobs`` and ``on`` are None.

    The numbers are those of one process with one thread.
    """
    if on is not None:
        from mgc.fitting.ray_folds import on_ray

        with on_ray(on, gpu_share) as workers:
            yield workers
        return
    if jobs is None:
        yield None
        return
    if processes.several():
        raise UsageError("--jobs cannot be combined with torchrun.", "Use one of them.")
    children = Workers(f"{__name__}:training", count=jobs)
    with closing(FoldWorkers(jobs, partial(_asked, children))) as workers, children:
        yield workers


def _asked(children: Workers, request: Mapping[str, Any]) -> Answer:
    head = HeadSpec(request["head"])
    if plugin_process.is_wanted(head.entry.distribution):
        return cast(Answer, plugin_process.ask(head, "", request, workers=children))
    try:
        answer: Answer = children.call(request, tries=1)
    except AudioError as error:
        raise MgcError(
            f"Fold {request['fold'] + 1} {error.message}.",
            "The same command continues. With less memory per run: fewer --jobs.",
        ) from error
    return answer


class Relay(Silent):
    """Tells the process that asked for a fold what is reported of its training."""

    def say(self, line: str) -> None:
        """See `mgc.progress.Progress`."""
        tell(["say", line])

    def epoch(self, row: Mapping[str, Any]) -> None:
        """See `mgc.progress.Progress`."""
        tell(["epoch", row])

    def log(self, row: Mapping[str, Any]) -> None:
        """See `mgc.training.tracking.Tracker`."""
        tell(["log", row])


def training() -> Callable[[Mapping[str, Any]], Answer]:
    """Set up a worker: the function that trains a fold of a run."""
    return train


def train(request: Mapping[str, Any]) -> Answer:
    """Train one fold of a run that was begun, as its record asks."""
    run = runs.load(request["run"])
    asked = load_request(run, resolve.dataset(run.record.dataset.name))
    key = json.dumps([run.record.identity["audio"], asked.features, asked.include_bad])
    if key not in _prepared:
        _prepared.clear()  # one dataset and extractor at a time
        _prepared.update({key: prepare_for([asked], Silent())[asked.features]})
    prepared = _prepared[key]
    fold = prepared.folds(asked.folds, asked.seed)[request["fold"]]
    relay = Relay() if request["told"] else None
    probabilities, embedding = fit_fold(
        run, asked, prepared, fold, relay or Silent(), cast(Tracker | None, relay)
    )
    return {"probabilities": probabilities, "embedding": embedding}


_prepared: dict[str, Prepared] = {}  # of this worker
