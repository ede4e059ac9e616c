"""``--jobs``: folds side by side, with the bytes of one process; workers that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from mgc import runs
from mgc.audio.processes.workers import Workers
from mgc.errors import MgcError
from mgc.fitting import local_folds
from mgc.fitting.fold_workers import FoldWorkers
from mgc.training.fitted_head import CHECKPOINT

FIT = ("fit", "-e", "mfcc", "--head", "cnn", "--head", "logistic", "--folds", "2")
SETTINGS = ("--device", "cpu", "--set", "epochs=2", "--set", "precision=fp32")


def _contents() -> dict[str, bytes]:
    """The bytes of all models and predictions."""
    return {
        path.relative_to(runs.runs_home()).as_posix(): path.read_bytes()
        for pattern in ("*.safetensors", "*.parquet", "*.skops")
        for path in runs.runs_home().rglob(pattern)
    }


def test_the_numbers_are_those_of_one_process(
    mgc: Callable[..., Any], music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = []
    for jobs in ((), ("--jobs", "2")):
        monkeypatch.setenv("MGC_HOME", str(tmp_path / f"home{len(jobs)}"))
        assert mgc("data", "add", "m", music).code == 0
        told = mgc(*FIT, *SETTINGS, *jobs)
        assert told.code == 0, told.err
        contents.append(_contents())
    serial, parallel = contents
    assert len(serial) > 8
    assert serial == parallel


def test_a_failing_fit_does_not_stop_the_others(mgc: Callable[..., Any], music: Path) -> None:
    assert mgc("data", "add", "m", music).code == 0
    told = mgc(*FIT, *SETTINGS, "--set", "learning_rate=1e30", "--jobs", "2")
    assert told.code == 1
    assert "mfcc · cnn: " in told.err
    states = {run["name"]: run["state"] for run in mgc("runs", "list", "--json").json}
    assert states == {"m-mfcc-cnn-1": "failed", "m-mfcc-logistic-1": "finished"}


def test_jobs_do_not_log_to_a_tracker(mgc: Callable[..., Any], music: Path) -> None:
    assert mgc("data", "add", "m", music).code == 0
    told = mgc(*FIT, "--jobs", "2", "--track", "wandb")
    assert told.code == 2
    assert "--jobs has no effect with --track" in told.err


def dying() -> Callable[[Any], Any]:
    """A worker that ends its process if it is asked to."""

    def answer(request: Any) -> Any:
        if request["fold"] == 1:
            os._exit(7)
        return {"process": os.getpid()}

    return answer


@contextmanager
def _working(load: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FoldWorkers]:
    """One worker that does something else."""
    made = partial(Workers, f"{__name__}:{load}")
    monkeypatch.setattr(local_folds, "Workers", lambda _, count: made(count=count))
    with local_folds.side_by_side(1) as workers:
        assert workers is not None
        yield workers


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_that_dies_is_replaced(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGC_START_METHOD", method)
    with _working("dying", monkeypatch) as workers:
        first = workers.ask({"head": "logistic", "fold": 0})
        assert workers.ask({"head": "logistic", "fold": 2}) == first
        with pytest.raises(MgcError, match=r"^Fold 2 .* 1 time \(exit code 7\)") as caught:
            workers.ask({"head": "logistic", "fold": 1})
        assert "fewer --jobs" in caught.value.hint
        assert workers.ask({"head": "logistic", "fold": 0}) != first


def test_workers_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        _working("nothing_of_this_name", monkeypatch) as workers,
        pytest.raises(MgcError, match="cannot be started"),
    ):
        workers.ask({"head": "logistic", "fold": 0})


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle(
    how: signal.Signals, mgc: Callable[..., Any], mgc_home: Path, music: Path
) -> None:
    """No worker is left, and the run can be continued."""
    assert mgc("data", "add", "m", music).code == 0
    endless = ["--set", "epochs=100000", "--set", "patience=0", "--device", "cpu", "--jobs", "2"]
    words = [*FIT[:5], "--folds", "3", *endless]  # one of them waits for a worker
    process = subprocess.Popen(
        [sys.executable, "-m", "mgc", *words], stderr=subprocess.DEVNULL, start_new_session=True
    )
    while len(list(runs.runs_home().glob(f"*/fold-*/{CHECKPOINT}"))) < 2:  # both are trained
        assert process.poll() is None
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) == 3  # and the server that they were forked from
    process.send_signal(how)
    assert process.wait() == (130 if how == signal.SIGINT else -how)
    assert not psutil.wait_procs(workers)[1]
    assert [run["state"] for run in mgc("runs", "list", "--json").json] == ["interrupted"]
