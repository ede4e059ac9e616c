"""Folds of several fits side by side, whose run folders this process makes.

Fits run in threads of this process, which put the folds of all of them into one queue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

import numpy as np

from mgc.runs import Run

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


def fold_request(run: Run, fold: int, *, told: bool = False) -> dict[str, Any]:
    """What `mgc.fitting.fold_training.train` is asked; ``told`` what happens meanwhile."""
    record = run.record
    asked = {"run": str(run.folder), "device": record.device, "head": record.head.name}
    return {**asked, "fold": fold, "told": told}
