"""Work on many files on all cores of this machine, such that no file can stop the others.

One process a core, each with one thread. A worker holds two files at most, one at work and one
waiting, so that a worker that dies names the file that killed it. Such a file is tried again by
itself, and left out with the reason when it kills `TRIES` workers.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event

from mgc.features.extraction import messages
from mgc.features.extraction.fork_server import ForkServer
from mgc.features.extraction.jobs import ExtractionJob
from mgc.features.extraction.tasks import Task, TaskResult, described
from mgc.features.extractor_spec import ExtractorSpec

HELD = 2  # files that a worker has at once
TRIES = 3  # workers that a file may kill
FILE_SECONDS = 1_800.0  # a worker busy with one file for longer hangs
RESTARTS = 5  # of the nursery in a row without a file done


@dataclass
class _Worker:
    """One process: our end of its socket, and the jobs that it holds."""

    link: socket.socket
    pid: int = 0  # known once it has said so
    held: deque[ExtractionJob] = field(default_factory=deque)
    since: float = 0.0  # when it began with the first of them
    too_slow: bool = False


class Pool:
    """Worker processes for one task on some sources."""

    def __init__(self, sources: Sequence[ExtractorSpec], task: Task, count: int) -> None:
        self.asked = {"sources": described(sources, "cpu"), "task": task}
        self.count = count
        #: Files under way or done out of turn: a slow file does not hold the others up at once.
        self.window = max(16, 4 * count)
        self.crashes: Counter[int] = Counter()
        self.suspects: deque[ExtractionJob] = deque()
        self.again: deque[ExtractionJob] = deque()
        self.turn: deque[ExtractionJob] = deque()
        self.done: dict[int, TaskResult] = {}
        self.workers: list[_Worker] = []
        self.starts = 0
        self.selector = selectors.DefaultSelector()

    def run(
        self, jobs: Iterator[ExtractionJob], stopping: Event
    ) -> Iterator[tuple[ExtractionJob, TaskResult]]:
        """Each job with its answer, in the order of the jobs, until ``stopping`` is set.

        Ends all workers when it ends. Raises MgcError where they cannot be started or kept alive.
        """
        try:
            self._start()
            while not stopping.is_set():
                self._hand_out(jobs)
                while self.turn and self.turn[0].number in self.done:
                    job = self.turn.popleft()
                    yield job, self.done.pop(job.number)
                    self._hand_out(jobs)
                if not self.turn:
                    return
                self._listen()
        finally:
            self._stop()
            self.selector.close()

    # Starting and ending

    def _start(self) -> None:
        """Start the nursery, and have it fork the workers."""
        self.nursery = ForkServer(self.asked)
        if not self.nursery.is_ready():
            self._restart()
            return
        self.selector.register(self.nursery.control, selectors.EVENT_READ)
        try:
            for _ in range(self.count):
                self._add_worker()
        except OSError:
            self._restart()

    def _add_worker(self) -> None:
        worker = _Worker(self.nursery.fork())
        self.workers.append(worker)
        self.selector.register(worker.link, selectors.EVENT_READ, worker)

    def _restart(self) -> None:
        """The nursery is gone (killed from outside): no file is to blame."""
        self.starts += 1
        if self.starts > RESTARTS:
            raise self.nursery.trouble()
        held = sorted((job for w in self.workers for job in w.held), key=lambda job: job.number)
        self.again.extendleft(reversed(held))
        self._stop()
        self._start()

    def _stop(self) -> None:
        for worker in self.workers:
            self.selector.unregister(worker.link)
            worker.link.close()
        self.workers.clear()
        if hasattr(self, "nursery"):
            with suppress(KeyError, ValueError):  # it was never ready
                self.selector.unregister(self.nursery.control)
            self.nursery.end()

    # Work

    def _hand_out(self, jobs: Iterator[ExtractionJob]) -> None:
        """Give every worker what it can hold; a suspect is given out alone."""
        if self.suspects:
            if not any(worker.held for worker in self.workers):
                self._give(self.workers[0], self.suspects.popleft())
            return
        for room in range(HELD):
            for worker in [w for w in self.workers if len(w.held) == room]:
                job = self._next(jobs)
                if job is None:
                    return
                self._give(worker, job)

    def _next(self, jobs: Iterator[ExtractionJob]) -> ExtractionJob | None:
        """The next job for a worker. Those that need none are done as they come."""
        if self.again:
            return self.again.popleft()
        while len(self.turn) < self.window:
            job = next(jobs, None)
            if job is None:
                return None
            self.turn.append(job)
            if job.wanted:
                return job
            self.done[job.number] = TaskResult(job.problem)
        return None

    def _give(self, worker: _Worker, job: ExtractionJob) -> None:
        if not worker.held:
            worker.since = time.monotonic()
        worker.held.append(job)
        try:
            messages.send(worker.link, {"path": str(job.path), "wanted": job.wanted})
        except OSError:
            return  # it is dead: its link says so at the next look

    def _listen(self) -> None:
        """Take what the workers have to say; waits for a second at most."""
        for key, _ in self.selector.select(1.0):
            if key.data is None:
                if not self.nursery.listen():
                    self._restart()
                    return
            elif key.data in self.workers:
                self._listen_to(key.data)
        self._end_the_slow()

    def _listen_to(self, worker: _Worker) -> None:
        try:
            record, arrays = messages.receive(worker.link)
        except (EOFError, OSError):
            self._lost(worker)
            return
        if "pid" in record:
            worker.pid = record["pid"]
            return
        self.starts = 0
        worker.since = time.monotonic()
        job = worker.held.popleft()
        self.done[job.number] = TaskResult(record["reason"], arrays, record["parts"])

    # What goes wrong

    def _lost(self, worker: _Worker) -> None:
        """A worker died: blame the file at work, give the other back, fork another worker."""
        self.workers.remove(worker)
        self.selector.unregister(worker.link)
        worker.link.close()
        if worker.held:
            job = worker.held.popleft()
            self.again.extendleft(worker.held)
            self.crashes[job.number] += 1
            if worker.too_slow:
                minutes = FILE_SECONDS / 60
                self.done[job.number] = TaskResult(
                    f"{job.path}: takes more than {minutes:.0f} min."
                )
            elif self.crashes[job.number] >= TRIES:
                how = self.nursery.how_it_died(worker.pid)
                reason = f"{job.path}: its worker process died {TRIES} times ({how})."
                self.done[job.number] = TaskResult(reason)
            else:
                self.suspects.append(job)
        try:
            self._add_worker()
        except OSError:
            self._restart()

    def _end_the_slow(self) -> None:
        now = time.monotonic()
        for worker in self.workers:
            if worker.held and worker.pid and now - worker.since > FILE_SECONDS:
                worker.too_slow = True
                os.kill(worker.pid, signal.SIGKILL)
