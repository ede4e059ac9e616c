"""Works on many files on all cores of this machine, so that no file can stop the others.

One process per core, each with one thread. A worker holds two files at most, one in progress and
one waiting, so that the file that killed a dead worker is known. Such a file is tried again by
itself, and is left out with the reason once it has killed `TRIES` workers.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event
from typing import Any, Generic, TypeVar

from mgc.audio.processes import launch, messages
from mgc.audio.processes.posix import starter

HELD = 2  # files that a worker has at once
TRIES = 3  # workers that a file may kill
START_SECONDS = 300.0  # for importing everything, on a slow disk
FILE_SECONDS = 1_800.0  # a worker busy with one file for longer counts as hung
RESTARTS = 5  # of the fork server, or of workers not yet ready, without any file finished
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_MEANINGS = {"SIGSEGV": "a crash", "SIGKILL": "memory may have run out"}

J = TypeVar("J")


@dataclass(frozen=True)
class Lost:
    """The answer for a file that hangs (``is_slow``), or on which `TRIES` workers died."""

    how: str
    is_slow: bool = False

    def reason(self, doing: str) -> str:
        """Why there is no answer, in words; ``doing`` says what the worker did with the file."""
        if self.is_slow:
            return self.how
        return f"its worker process crashed {TRIES} times ({self.how} while it {doing})"


@dataclass(eq=False)
class _Request(Generic[J]):
    """A job, the request sent to a worker for it, and the outcome."""

    job: J
    content: Any
    crashes: int = 0
    is_done: bool = False
    answer: Any = None

    def end(self, answer: Any) -> None:
        self.answer, self.is_done = answer, True


@dataclass(eq=False)
class _Worker(Generic[J]):
    """Our end of the link to one process, and the requests that it holds."""

    link: Connection
    pid: int = 0  # known once it is ready
    held: deque[_Request[J]] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)  # when it began the first of them
    is_slow: bool = False


class Pool(Generic[J]):
    """Worker processes that each call ``load(**settings)`` and answer requests with the result.

    Args:
        load: the function that sets up, as ``module:function``.
        settings: its arguments, JSON values.
        count: processes.
    """

    def __init__(self, load: str, settings: Mapping[str, Any], count: int) -> None:
        self.asked = {"load": load, "settings": settings}
        self.count = count
        #: Files in progress or done out of order: a slow file does not hold up the others at once.
        self.window = max(16, 4 * count)
        self.suspects: deque[_Request[J]] = deque()
        self.again: deque[_Request[J]] = deque()
        self.turn: deque[_Request[J]] = deque()
        self.workers: dict[Connection, _Worker[J]] = {}
        self.failures = 0

    def run(
        self, jobs: Iterator[tuple[J, Any]], stopping: Event
    ) -> Generator[tuple[J, Any], None, None]:
        """Each job with its answer, or `Lost`, in the order of the jobs, until ``stopping``.

        A job comes with the request for a worker, a JSON value; if that is None, so is the answer.
        Ends all workers when it ends. Raises what a worker raises, and MgcError if workers cannot
        be started or kept alive.
        """
        with tempfile.TemporaryFile() as self.log:
            self._start()
            try:
                while not stopping.is_set():
                    self._hand_out(jobs)
                    while self.turn and self.turn[0].is_done:
                        done = self.turn.popleft()
                        yield done.job, done.answer
                        self._hand_out(jobs)
                    if not self.turn:
                        return
                    self._listen()
            finally:
                self._stop()

    # Starting and ending

    def _start(self) -> None:
        self.starter = starter(self.asked, self.log)
        self._add_workers()

    def _add_workers(self) -> None:
        try:
            while len(self.workers) < self.count:
                link = self.starter.add_worker()
                self.workers[link] = _Worker(link)
        except OSError:
            self._restart()

    def _restart(self) -> None:
        """The fork server is gone. If it was killed from outside, no file is to blame."""
        held = {id(request) for worker in self.workers.values() for request in worker.held}
        self.again.extendleft(r for r in reversed(self.turn) if id(r) in held)
        self._note_failure(final=self._stop() >= 0)
        self._start()

    def _note_failure(self, *, final: bool = False) -> None:
        self.failures += 1
        if final or self.failures > RESTARTS:
            raise launch.cannot_work(self.log)

    def _stop(self) -> int:
        for link in self.workers:
            link.close()
        self.workers.clear()
        return self.starter.end()

    # Work

    def _hand_out(self, jobs: Iterator[tuple[J, Any]]) -> None:
        """Give every worker as much as it can hold; a suspect file is handed out alone."""
        workers = list(self.workers.values())
        if self.suspects:
            if not any(worker.held for worker in workers):
                self._give(workers[0], self.suspects.popleft())
            return
        for room in range(HELD):
            for worker in [worker for worker in workers if len(worker.held) == room]:
                request = self._next(jobs)
                if request is None:
                    return
                self._give(worker, request)

    def _next(self, jobs: Iterator[tuple[J, Any]]) -> _Request[J] | None:
        """The next request for a worker. Jobs that need none are finished at once."""
        if self.again:
            return self.again.popleft()
        while len(self.turn) < self.window and (job := next(jobs, None)):
            request = _Request(*job)
            self.turn.append(request)
            if request.content is not None:
                return request
            request.end(None)
        return None

    def _give(self, worker: _Worker[J], request: _Request[J]) -> None:
        if not worker.held:
            worker.since = time.monotonic()
        worker.held.append(request)
        with suppress(OSError):  # it is dead: the next read of its link will show that
            messages.send(worker.link, request.content)

    def _listen(self) -> None:
        """Receive the workers' messages; waits for a second at most."""
        ready = connection.wait([*self.workers, *self.starter.links], 1.0)
        if not self.starter.listen():
            return self._restart()
        for link in ready:
            if link in self.workers:
                self._listen_to(self.workers[link])
        return self._end_the_slow()

    def _listen_to(self, worker: _Worker[J]) -> None:
        try:
            said = messages.receive(worker.link)
        except (EOFError, OSError):
            self._replace(worker)
            return
        if "error" in said:
            messages.raise_error(said)
        worker.since = time.monotonic()
        if "pid" in said:
            worker.pid = said["pid"]
            return
        self.failures = 0
        worker.held.popleft().end(said["value"])

    # What goes wrong

    def _replace(self, worker: _Worker[J]) -> None:
        """A worker died: blame the file in progress, requeue the other, start a new worker."""
        del self.workers[worker.link]
        worker.link.close()
        if not worker.pid:
            self._note_failure()
        elif worker.held:
            self._blame(worker, worker.held.popleft())
        self.again.extendleft(reversed(worker.held))
        self._add_workers()

    def _blame(self, worker: _Worker[J], request: _Request[J]) -> None:
        request.crashes += 1
        if worker.is_slow:
            request.end(Lost(f"takes more than {FILE_SECONDS / 60:.0f} min", is_slow=True))
        elif request.crashes >= TRIES:
            request.end(Lost(exit_in_words(self.starter.exit_code(worker.link, worker.pid))))
        else:
            self.suspects.append(request)

    def _end_the_slow(self) -> None:
        now = time.monotonic()
        for worker in self.workers.values():
            if not worker.pid and now - worker.since > START_SECONDS:
                raise launch.cannot_work(self.log)
            if worker.pid and worker.held and now - worker.since > FILE_SECONDS:
                worker.is_slow = True
                kill(worker.pid)


def kill(process: int) -> None:
    """End a worker that hangs; psutil is loaded for this alone."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        psutil.Process(process).kill()


def exit_in_words(code: int) -> str:
    """How a process ended: its signal and what that means, or its exit code."""
    names = {-number: number.name for number in signal.Signals}
    name = names.get(code, f"exit code {code}")
    return f"{name}: {_MEANINGS[name]}" if name in _MEANINGS else name


def cores() -> int:
    """The cores that this process may use: its affinity, and its container's share."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, _container_share()))


def _container_share() -> int:
    """Whole cores of a control group's quota; a very large number if there is none."""
    try:
        quota, period = _QUOTA.read_text().split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or "max"
        return sys.maxsize
