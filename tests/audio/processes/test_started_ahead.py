"""A fork server that imports before it is asked: who gets it, and that none is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from mgc.audio.processes import posix
from mgc.audio.processes.workers import Workers
from mgc.errors import MgcError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def telling() -> Callable[[Any], Any]:
    """A worker that tells which process has forked it."""
    return lambda request: os.getppid()


def failing() -> Callable[[Any], Any]:
    os.write(2, b"the last words\n")
    os._exit(3)


@pytest.fixture(autouse=True)
def fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGC_START_METHOD", "fork")


def begun() -> psutil.Process:
    """Not a fixture: pytest changes the environment between a test's set-up and the test."""
    posix.start_ahead(__name__)
    return psutil.Process(posix._AHEAD[__name__, False][-1].process.pid)


def test_it_serves_the_next_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = begun()
    monkeypatch.setenv("KMP_DUPLICATE_LIB_OK", "True")  # as importing torch does
    assert Workers("tests.audio.processes.test_workers:obeying", count=1).call(1, 60)["value"] == 1
    with Workers(f"{__name__}:telling", count=1) as workers:
        assert workers.call(None, 60) == ahead.pid
    with Workers(f"{__name__}:telling", count=1) as workers:
        assert workers.call(None, 60) != ahead.pid


def test_its_last_words_are_heard() -> None:
    begun()
    with Workers(f"{__name__}:failing", count=1) as workers, pytest.raises(MgcError) as caught:
        workers.call(None, 60)
    assert "the last words" in caught.value.message


def test_in_other_surroundings_it_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = begun()
    monkeypatch.setenv("MGC_START_METHOD", "")
    with Workers(f"{__name__}:telling", count=1) as workers:
        assert workers.call(None, 60) != ahead.pid
    assert not ahead.is_running()


def test_one_that_was_killed_is_replaced() -> None:
    ahead = begun()
    ahead.kill()
    ahead.wait(60)
    with Workers(f"{__name__}:telling", count=1) as workers:
        assert workers.call(None, 60) != ahead.pid


@pytest.mark.parametrize("end", ["kill", "sys.exit"])
def test_none_outlives_its_parent(end: str) -> None:
    code = f"""import os, signal, sys
from mgc.audio.processes import posix
posix.start_ahead("mgc.audio.processes.worker")
print(posix._AHEAD["mgc.audio.processes.worker", False][-1].process.pid, flush=True)
if {end!r} == "kill": os.kill(os.getpid(), signal.SIGKILL)"""
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=120)
    try:
        child = psutil.Process(int(said.stdout))
    except psutil.NoSuchProcess:
        return
    assert not psutil.wait_procs([child], timeout=60)[1]
