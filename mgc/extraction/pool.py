"""Work on many files on all cores of this machine, such that no file can stop the others.

One process a core, each with one thread. A worker holds two files at most, one at work and one
waiting, so that a worker that dies names the file that killed it. Such a file is tried again by
itself, and left out with the reason when it kills `TRIES` workers.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event

from mgc.errors import MgcError
from mgc.extraction import wire
from mgc.extraction.plan import Job
from mgc.extraction.work import Answer, Task, described
from mgc.sources import Source

HELD = 2  # files that a worker has at once
TRIES = 3  # workers that a file may kill
FILE_SECONDS = 1_800.0  # a worker busy with one file for longer hangs
START_SECONDS = 300.0  # for importing everything, on a slow disk
END_SECONDS = 10.0
MESSAGE_SECONDS = 120.0  # for the rest of a message that has begun
RESTARTS = 5  # of the nursery in a row without a file done
_RUN = """import json, sys; sys.path[:] = json.loads(sys.argv[2])
from mgc.extraction import worker; worker.start(int(sys.argv[1]))"""
#: Libraries with threads of their own read these when they are loaded.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
_SIGNALS = {signal.SIGSEGV: "a crash in its decoder", signal.SIGKILL: "memory may have run out"}


@dataclass
class _Worker:
    """One process: our end of its socket, and the jobs that it holds."""

    link: socket.socket
    pid: int = 0  # known once it has said so
    held: deque[Job] = field(default_factory=deque)
    since: float = 0.0  # when it began with the first of them
    too_slow: bool = False


class Pool:
    """Worker processes for one task on some sources."""

    def __init__(self, sources: Sequence[Source], task: Task, count: int) -> None:
        self.asked = {"sources": described(sources, "cpu"), "task": task}
        self.count = count
        #: Files under way or done out of turn: a slow file does not hold the others up at once.
        self.window = max(16, 4 * count)
        self.crashes: Counter[int] = Counter()
        self.suspects: deque[Job] = deque()
        self.again: deque[Job] = deque()
        self.turn: deque[Job] = deque()
        self.done: dict[int, Answer] = {}
        self.workers: list[_Worker] = []
        self.deaths: dict[int, int] = {}
        self.starts = 0
        self.selector = selectors.DefaultSelector()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by run()

    def run(self, jobs: Iterator[Job], stopping: Event) -> Iterator[tuple[Job, Answer]]:
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
            self.log.close()

    # Starting and ending

    def _start(self) -> None:
        """Start the nursery, and have it fork the workers."""
        while not self._raise_nursery():
            self._count_start()
        self.control.settimeout(MESSAGE_SECONDS)
        self.selector.register(self.control, selectors.EVENT_READ)
        try:
            for _ in range(self.count):
                self._add_worker()
        except OSError:
            self._restart()

    def _raise_nursery(self) -> bool:
        """Start the nursery and wait until it is ready. False where it was killed meanwhile."""
        self.control, theirs = socket.socketpair()
        with theirs:
            self.nursery = subprocess.Popen(
                [sys.executable, "-P", "-c", _RUN, str(theirs.fileno()), json.dumps(sys.path)],
                env={**os.environ, **_ONE_THREAD},
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C reaches us alone
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
            )
        self.control.settimeout(START_SECONDS)
        try:
            wire.send(self.control, self.asked)
            said = wire.receive(self.control).record
        except (EOFError, OSError) as error:
            self._end_nursery()
            if self.nursery.returncode < 0:
                return False
            raise self._cannot_start() from error
        if "error" in said:
            raise MgcError(said["error"], said["hint"])
        return True

    def _add_worker(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [b"f"], [theirs.fileno()])
        ours.settimeout(MESSAGE_SECONDS)
        worker = _Worker(ours)
        self.workers.append(worker)
        self.selector.register(ours, selectors.EVENT_READ, worker)

    def _stop(self) -> None:
        for worker in self.workers:
            self.selector.unregister(worker.link)
            worker.link.close()
        self.workers.clear()
        if hasattr(self, "nursery"):
            with suppress(KeyError, ValueError):  # it was never ready
                self.selector.unregister(self.control)
            self._end_nursery()

    def _end_nursery(self) -> None:
        self.control.close()  # it ends its workers, and itself
        try:
            self.nursery.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.nursery.kill()
            self.nursery.wait()

    def _restart(self) -> None:
        """The nursery is gone (killed from outside): no file is to blame."""
        self._count_start()
        held = sorted((job for w in self.workers for job in w.held), key=lambda job: job.number)
        self.again.extendleft(reversed(held))
        self._stop()
        self._start()

    def _count_start(self) -> None:
        self.starts += 1
        if self.starts > RESTARTS:
            raise self._cannot_start()

    def _cannot_start(self) -> MgcError:
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        last = f" ({lines[-1]})" if lines else ""
        return MgcError(
            f"Worker processes cannot be started or do not stay alive{last}.",
            "Work in this process alone: --workers 1",
        )

    # Work

    def _hand_out(self, jobs: Iterator[Job]) -> None:
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

    def _next(self, jobs: Iterator[Job]) -> Job | None:
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
            self.done[job.number] = Answer(job.problem)
        return None

    def _give(self, worker: _Worker, job: Job) -> None:
        if not worker.held:
            worker.since = time.monotonic()
        worker.held.append(job)
        try:
            wire.send(worker.link, {"path": str(job.path), "wanted": job.wanted})
        except OSError:
            return  # it is dead: its link says so at the next look

    def _listen(self) -> None:
        """Take what the workers have to say; waits for a second at most."""
        for key, _ in self.selector.select(1.0):
            if key.data is None:
                if not self._listen_to_nursery():
                    self._restart()
                    return
            elif key.data in self.workers:
                self._listen_to(key.data)
        self._end_the_slow()

    def _listen_to_nursery(self) -> bool:
        try:
            said = wire.receive(self.control).record
        except (EOFError, OSError):
            return False
        self.deaths[said["died"]] = said["code"]
        return True

    def _listen_to(self, worker: _Worker) -> None:
        try:
            record, arrays = wire.receive(worker.link)
        except (EOFError, OSError):
            self._lost(worker)
            return
        if "pid" in record:
            worker.pid = record["pid"]
            return
        self.starts = 0
        worker.since = time.monotonic()
        job = worker.held.popleft()
        self.done[job.number] = Answer(record["reason"], arrays, record["parts"])

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
                self.done[job.number] = Answer(f"{job.path}: takes more than {minutes:.0f} min.")
            elif self.crashes[job.number] >= TRIES:
                how = self._how_it_died(worker)
                reason = f"{job.path}: its worker process died {TRIES} times ({how})."
                self.done[job.number] = Answer(reason)
            else:
                self.suspects.append(job)
        try:
            self._add_worker()
        except OSError:
            self._restart()

    def _how_it_died(self, worker: _Worker) -> str:
        deadline = time.monotonic() + 2.0
        while worker.pid not in self.deaths and time.monotonic() < deadline:
            if not self._listen_to_nursery():
                break
        code = self.deaths.get(worker.pid, 0)
        if code >= 0:
            return f"exit code {code}"
        name = signal.Signals(-code).name
        meaning = _SIGNALS.get(signal.Signals(-code))
        return f"{name}: {meaning}" if meaning else name

    def _end_the_slow(self) -> None:
        now = time.monotonic()
        for worker in self.workers:
            if worker.held and worker.pid and now - worker.since > FILE_SECONDS:
                worker.too_slow = True
                os.kill(worker.pid, signal.SIGKILL)
