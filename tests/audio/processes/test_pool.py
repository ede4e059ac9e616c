"""The pool on functions of these tests: which messages meet, what is named, in what order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing import connection
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from mgc.audio.processes import pool
from mgc.audio.processes.pool import Lost, Pool
from mgc.errors import MgcError, UsageError


def obeying(plus: int = 0) -> Callable[[Any], Any]:
    if plus < 0:
        raise MgcError("It cannot be set up.", "Do otherwise.")
    return lambda request: _obey(request, plus)


def _obey(request: Any, plus: int) -> Any:
    if request == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if request == "exit":
        os._exit(7)
    return request + plus


def answers(requests: list[Any], workers: int = 2, **settings: int) -> list[tuple[int, Any]]:
    chosen: Pool[int] = Pool(f"{__name__}:obeying", settings, workers)
    return list(chosen.run(iter(enumerate(requests)), Event()))


@pytest.fixture(params=["fork", "spawn"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MGC_START_METHOD", request.param)
    return request.param


def test_answers_come_in_order_and_the_dead_are_named(method: str) -> None:
    requests = [*range(20), "crash", 21, None, "exit", 24]
    expected: list[Any] = [*range(1, 21), Lost("SIGSEGV: a crash"), 22, None, Lost("exit code 7")]
    assert answers(requests, plus=1) == list(enumerate([*expected, 25]))


def test_what_the_set_up_raises_is_raised(method: str) -> None:
    with pytest.raises(MgcError, match="cannot be set up") as caught:
        answers([1, 2], plus=-1)
    assert caught.value.hint == "Do otherwise."


def test_a_set_up_that_dies_names_no_file(method: str) -> None:
    chosen: Pool[int] = Pool("os:abort", {}, 2)
    with pytest.raises(MgcError, match="cannot be started or do not stay alive"):
        list(chosen.run(iter([(0, 0)]), Event()))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("server_first", [False, True])
def test_a_death_may_be_read_before_or_after_it_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, server_first: bool
) -> None:
    """Two messages meet: the worker's link ends, and the fork server tells of its death.

    Whichever event comes first, nobody then waits for a message that has been read already.
    """
    late: list[Any] = []
    met = []

    def wait(links: list[Any], timeout: float) -> list[Any]:
        if late:
            return [late.pop()]
        if connection.wait(links, timeout):
            time.sleep(0.5)  # so that the other one is there too
        ready = connection.wait(links, 0)
        *workers, server = links
        if server not in ready or len(ready) < 2:
            return ready
        met.append(ready)
        if server_first:
            return [server, *(link for link in workers if link in ready)]
        late.append(server)
        return [link for link in workers if link in ready]

    monkeypatch.setenv("MGC_START_METHOD", "fork")
    monkeypatch.setattr(pool, "connection", SimpleNamespace(wait=wait))
    begun = time.monotonic()
    assert answers(["crash", 1], workers=1) == [(0, Lost("SIGSEGV: a crash")), (1, 1)]
    assert time.monotonic() - begun < 30
    assert len(met) >= pool.TRIES


def test_an_unknown_way_to_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGC_START_METHOD", "thread")
    with pytest.raises(UsageError, match="MGC_START_METHOD=thread"):
        answers([1])
