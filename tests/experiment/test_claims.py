"""Several processes on one experiment: each fit once, whoever is killed; parts of a job array."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mgc import runs
from mgc.audio.processes.locks import ReservedError, claimed
from mgc.errors import MgcError
from mgc.experiment.plan import Plan, read_plan
from mgc.experiment.study import COMMAND, perform
from mgc.fitting import fit_run
from mgc.progress import Silent

PLAN = """
name = "shared"
dataset = "m"
path = "{music}"
folds = 2
seeds = [0, 1]
extractors = ["mfcc", "chroma"]
heads = ["logistic"]
strategies = ["majority-voting", "stacking"]
"""
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def plan(mgc_home: Path, tmp_path: Path, music: Path) -> Plan:
    path = tmp_path / "shared.toml"
    path.write_text(PLAN.format(music=music))
    return read_plan(path)


class _Telling(Silent):
    """Sets an event once its process waits for others."""

    def __init__(self, waits: Any) -> None:
        self.waits = waits

    def say(self, line: str) -> None:
        if line.startswith("Waiting for"):
            self.waits.set()


def _victim(plan: Plan, busy: Any) -> None:
    """Stops for ever in the second fold of the first fit that it gets."""
    real, calls = fit_run.fit_head, []

    def stopping(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            busy.set()
            signal.pause()
        return real(*arguments, **named)

    fit_run.fit_head = stopping  # in this process alone
    perform(plan, COMMAND)


def _survivor(plan: Plan, waits: Any, log: Path) -> None:
    real = fit_run.fit_head

    def noting(*arguments: Any, **named: Any) -> Any:
        new = not (named["folder"] / "head.json").exists()
        fitted = real(*arguments, **named)
        with open(log, "a") as file:
            file.write(f"{'new' if new else 'old'} {named['folder']}\n" if new else "")
        return fitted

    fit_run.fit_head = noting
    perform(plan, COMMAND, _Telling(waits))


def _figures() -> dict[Any, Any]:
    found, errors = runs.everything()
    assert not errors
    assert all(run.finished for run in found)
    keys = Counter((run.label, run.record.seed) for run in found)
    assert set(keys.values()) == {1}, keys  # each fit and each ensemble once
    return {
        (run.label, run.record.seed): run.predictions.drop(columns="path").to_csv() for run in found
    }


def test_four_processes_of_which_two_are_killed(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, waits = [FORK.Event(), FORK.Event()], [FORK.Event(), FORK.Event()]
    logs = [tmp_path / "log 0", tmp_path / "log 1"]
    victims = [FORK.Process(target=_victim, args=(plan, event)) for event in busy]
    others = [
        FORK.Process(target=_survivor, args=(plan, event, log))
        for event, log in zip(waits, logs, strict=True)
    ]
    for process in victims:
        process.start()
    for event in busy:
        event.wait()  # each is in the middle of a fit
    for process in others:
        process.start()
    for event in waits:
        event.wait()  # nothing is left but what the victims have claimed
    for process in victims:
        os.kill(process.pid or 0, signal.SIGKILL)
    for process in [*victims, *others]:
        process.join()
    assert [process.exitcode for process in others] == [0, 0]
    trained = Counter("".join(log.read_text() for log in logs if log.exists()).split("\n")[:-1])
    assert len(trained) == 6  # of 8 folds: each victim had finished one
    assert set(trained.values()) == {1}
    shared = _figures()
    assert len(shared) == 8
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "another home"))
    perform(plan, COMMAND)
    assert _figures() == shared


def test_parts_of_a_job_array(plan: Plan) -> None:
    """Any order; the last part makes the ensembles."""
    second = perform(plan, COMMAND, only=(2, 3))
    assert [(run.label, run.record.seed) for run in second.runs] == [("chroma · logistic", 0)]
    assert second.lacking == 3
    first = perform(plan, COMMAND, only=(1, 3))
    assert [(run.label, run.record.seed) for run in first.runs] == [
        ("mfcc · logistic", 0), ("chroma · logistic", 1),
    ]  # fmt: skip
    third = perform(plan, COMMAND, only=(3, 3))
    assert not third.lacking
    assert len(third.runs) == len(_figures()) == 8


def test_a_claim_is_of_one_process_at_a_time(mgc_home: Path) -> None:
    with claimed("this"):
        with pytest.raises(ReservedError), claimed("this"):
            pass
        with claimed("that"):
            pass
    with claimed("this"):
        pass


def test_a_home_without_locks(mgc_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(mgc_home)
    mgc_home.write_text("a file")
    with pytest.raises(MgcError, match="cannot be locked"), claimed("this"):
        pass


def test_a_disk_without_locks_is_refused(mgc_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in place of a lock would stay when its process is killed, and stop all others."""

    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    for wait in (None, Silent()):
        with pytest.raises(MgcError, match="cannot be locked"), claimed("this", wait=wait):
            pass
    monkeypatch.undo()
    with claimed("this"):
        pass
