"""Processes that stay warm and answer one request at a time each, for a program that runs long."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Self

from mgc.audio.processes import launch, messages
from mgc.audio.processes.pool import START_SECONDS, cores, exit_in_words, kill
from mgc.audio.processes.posix import starter
from mgc.errors import AudioError, counted
from mgc.home import process_exists

CALL_TRIES = 2  # processes that a request may end
LOOK_SECONDS = 5.0  # between looks at whether a silent process is still there
SLOW, CRASHED = "takes more than {:,.0f} s", "crashed its worker process {} ({})"


class Workers:
    """Processes that each call ``load(**settings)`` and answer requests with the result.

    A file may crash or stop one; it is replaced, and no other request notices. Any thread may call.
    If this process ends, in whatever way, so do they.

    Args:
        load: the function that sets up, as ``module:function``; it returns the one that answers.
        settings: its arguments, JSON values.
        count: processes; 0 means one per core.
        many_threads: their libraries use as many threads as those of this process, not one.
    """

    def __init__(
        self,
        load: str,
        settings: Mapping[str, Any] | None = None,
        count: int = 0,
        many_threads: bool = False,
    ) -> None:
        self.asked = {"load": load, "settings": settings or {}, "many_threads": many_threads}
        self.count, self.replaced = count or cores(), 0
        self._lock, self._closed = Lock(), False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._starter = starter(self.asked, self._log)
        self._pids: dict[Connection, int] = {}
        self._served: dict[Connection, str] = {}
        self._idle: SimpleQueue[Connection | None] = SimpleQueue()
        for _ in range(self.count):
            self._idle.put(None)

    def call(
        self,
        request: Any,
        seconds: float | None = None,
        tries: int = CALL_TRIES,
        told: Callable[[Any], None] | None = None,
        whose: str = "",
    ) -> Any:
        """The answer to a request, a JSON value that may hold arrays, as soon as a process is free.

        ``told`` hears what the process tells before (`mgc.audio.processes.worker.tell`). It has
        served nobody but ``whose``.
        Raises what the function raises (see `mgc.audio.processes.messages`), AudioError if it takes
        longer than this many seconds or ends ``tries`` processes, MgcError if none starts, and
        CancelledError if `close` ends it.
        """
        link, how = self._idle_of(whose), ""
        try:
            if link and self._served[link] != whose:
                kill(self._pids[link])
                self._end(link)
                link = None
            for _ in range(tries):
                link = link or self._begun()
                self._served[link] = whose
                try:
                    said = _answer(link, self._pids[link], request, seconds, told)
                except (EOFError, OSError):
                    how, link = self._end(link), None
                    continue
                if said is None:
                    kill(self._pids[link])
                    self._end(link)
                    link = None
                    raise AudioError(SLOW.format(seconds))
                if "error" in said:
                    messages.raise_error(said)
                return said["value"]
            raise AudioError(CRASHED.format(counted(tries, "time"), how))
        finally:
            self._idle.put(link)

    def _idle_of(self, whose: str) -> Connection | None:
        """A process that is free: one that served the same, else a new one, else any."""
        free = [self._idle.get()]
        with suppress(Empty):
            while True:
                free.append(self._idle.get_nowait())
        best = min(free, key=lambda one: (one is not None and self._served[one] != whose, not one))
        free.remove(best)
        for link in free:
            self._idle.put(link)
        return best

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return list(self._pids.values())

    def warm_up(self) -> None:
        """Start the processes that do not run yet. Raises MgcError if one does not."""
        for _ in range(self.count):
            link = self._idle.get()
            try:
                link = link or self._begun()
            finally:
                self._idle.put(link)

    def close(self) -> None:
        """End all processes, and with them the calls that wait for one."""
        with self._lock:
            self._closed = True
            self._starter.end()
            for pid in self.pids:  # of a fork server that was killed from outside
                kill(pid)
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begun(self) -> Connection:
        """The link to a new process that is ready."""
        with self._open():
            try:
                link = self._starter.add_worker()
            except OSError:  # the fork server was killed from outside
                self._starter.end()
                self._starter = starter(self.asked, self._log)
                link = self._starter.add_worker()
        said: dict[str, Any] = {}
        with suppress(EOFError, OSError):
            said = messages.receive(link) if link.poll(START_SECONDS) else {}
        if "pid" in said:
            self._pids[link], self._served[link] = said["pid"], ""
            return link
        with self._open():
            self._starter.listen()  # raises what setting up raised in the fork server
            if "error" in said:
                messages.raise_error(said)
            raise launch.cannot_work(self._log)

    def _end(self, link: Connection) -> str:
        """Forget a process that has ended, and say how it did."""
        with self._open():  # else `close` may close the link at the same time
            link.close()
            self.replaced += 1
            del self._served[link]
            return exit_in_words(self._starter.exit_code(link, self._pids.pop(link)))

    @contextmanager
    def _open(self) -> Iterator[None]:
        """The processes are not closed, and no other thread starts or ends one."""
        with self._lock:
            if self._closed:
                raise CancelledError
            yield


def _answer(
    link: Connection,
    process: int,
    request: Any,
    seconds: float | None,
    told: Callable[[Any], None] | None,
) -> Any:
    """What a process answers; None if it says nothing in time."""
    messages.send(link, request)
    end = time.monotonic() + (math.inf if seconds is None else seconds)
    while (left := end - time.monotonic()) >= 0:
        if link.poll(min(left, LOOK_SECONDS)):
            said = messages.receive(link)
            if "told" not in said:
                return said
            if told:
                told(said["told"])
        elif not process_exists(process):
            raise EOFError  # a process that it has started keeps the link open
    return None
