"""Warm processes: what they answer, and what becomes of a request that stops one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from mgc.audio.processes import worker, workers
from mgc.audio.processes.workers import Workers
from mgc.errors import AudioError, MgcError


def obeying(plus: int = 0) -> Callable[[Any], Any]:
    if plus < 0:
        raise MgcError("It cannot be set up.", "Do otherwise.")
    return lambda request: _obey(request, plus)


def _obey(request: Any, plus: int) -> Any:
    if request == "environment":
        return dict(os.environ)
    if request == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if request == "hang":
        time.sleep(3600)
    if request == "orphan" and os.fork():
        os._exit(5)
    if request in ("orphan", "tell"):
        worker.tell("half")
        time.sleep(3600 if request == "orphan" else 0)
        return os.getpid()
    if request == "raise":
        raise MgcError("It is refused.", "Ask for less.")
    if isinstance(request, dict):  # crash once
        mark = Path(request["mark"])
        if not mark.exists():
            mark.touch()
            os._exit(7)
        return "again"
    return {"pid": os.getpid(), "value": request + plus, "array": np.arange(3)}


@pytest.fixture(params=["fork", "spawn"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MGC_START_METHOD", request.param)
    return request.param


def test_many_threads_are_answered_by_few_processes(method: str) -> None:
    with Workers(f"{__name__}:obeying", {"plus": 1}, 2) as workers, ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda number: workers.call(number, 60), range(40)))
        assert [each["value"] for each in said] == list(range(1, 41))
        assert said[0]["array"].tolist() == [0, 1, 2]
        workers.warm_up()
        assert {each["pid"] for each in said} <= set(workers.pids)
        assert len(workers.pids) == 2
        children = [psutil.Process(pid) for pid in workers.pids]
    psutil.wait_procs(children, timeout=30)
    assert not any(child.is_running() for child in children)


def test_processes_keep_memory_unless_the_user_says_otherwise(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "1000000")
    with Workers(f"{__name__}:obeying", count=1) as workers:
        said = workers.call("environment", 60)
    assert said["MALLOC_TRIM_THRESHOLD_"] == "67108864"
    assert said["MALLOC_MMAP_THRESHOLD_"] == "1000000"


def test_what_stops_a_process_stops_only_its_request(method: str, tmp_path: Path) -> None:
    with Workers(f"{__name__}:obeying", count=1) as workers:
        (before,) = [workers.call(1, 60)["pid"]]
        with pytest.raises(AudioError, match=r"2 times \(SIGSEGV: a crash\)"):
            workers.call("crash", 60)
        with pytest.raises(AudioError, match="takes more than 0 s"):
            workers.call("hang", 0.2)
        with pytest.raises(MgcError, match="refused") as caught:
            workers.call("raise", 60)
        assert caught.value.hint == "Ask for less."
        assert workers.call({"mark": str(tmp_path / "mark")}, 60) == "again"
        assert workers.call(1, 60)["pid"] != before
        assert workers.replaced == 4


def test_what_the_set_up_raises_is_raised_each_time(method: str) -> None:
    with Workers(f"{__name__}:obeying", {"plus": -1}, 1) as workers:
        for _ in range(2):
            with pytest.raises(MgcError, match=r"cannot be (set up|started)"):
                workers.call(1, 60)


def test_a_fork_server_that_is_killed_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGC_START_METHOD", "fork")
    with Workers(f"{__name__}:obeying", count=2) as workers:
        workers.warm_up()
        dead, orphan = map(psutil.Process, workers.pids)
        server = dead.parent()
        assert server is not None
        for process in (server, dead):
            process.kill()
        psutil.wait_procs([server])
        assert [workers.call(1, 60)["value"] for _ in range(2)] == [1, 1]
        assert orphan.pid in workers.pids
    assert not psutil.wait_procs([orphan], timeout=30)[1]


def test_closing_ends_the_calls_that_wait(method: str) -> None:
    """One waits for its answer, the other for a free process."""
    workers = Workers(f"{__name__}:obeying", count=1)
    workers.warm_up()
    [child] = [psutil.Process(pid) for pid in workers.pids]
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(workers.call, "hang") for _ in range(2)]
        while not workers._idle.empty():
            time.sleep(0.01)
        workers.close()
        for call in calls:
            with pytest.raises(CancelledError):
                call.result()
    assert not psutil.wait_procs([child])[1]
    with pytest.raises(CancelledError):
        workers.call(1)


def test_what_is_told_before_the_answer_is_heard(method: str) -> None:
    heard: list[str] = []
    with Workers(f"{__name__}:obeying", count=1) as one:
        assert one.call("tell", 60, told=heard.append) == one.call("tell", 60)
    assert heard == ["half"]


def test_a_process_serves_the_same_owner_or_ends(method: str) -> None:
    with Workers(f"{__name__}:obeying", count=2) as both:
        first = both.call("tell", 60)
        own = both.call("tell", 60, whose="a plug-in")
        assert both.call("tell", 60, whose="a plug-in") == own != first
        assert both.call("tell", 60) == first
        assert both.call("tell", 60, whose="another") not in (first, own)
        assert len(both.pids) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
def test_a_process_that_leaves_another_behind_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LOOK_SECONDS", 0.1)
    left: list[Any] = []
    with (
        Workers(f"{__name__}:obeying", count=1) as one,
        pytest.raises(AudioError, match=r"1 time \(exit code 5\)"),
    ):
        one.call("orphan", 60, tries=1, told=left.append)
