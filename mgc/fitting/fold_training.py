"""Trains a fold in a process of its own, which gets names alone: it reads the request from the
run's folder, and the features from their store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from mgc import resolve, runs
from mgc.audio.processes.worker import tell
from mgc.fitting.fit_run import fit_fold, prepare_for
from mgc.fitting.fold_workers import Answer
from mgc.fitting.prepared import Prepared
from mgc.fitting.request import load_request
from mgc.progress import Silent
from mgc.training.tracking import Tracker


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
