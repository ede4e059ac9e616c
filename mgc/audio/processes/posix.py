"""What only POSIX systems offer: forking, and passing open files to another process.

A fork server imports everything once and then forks a worker in milliseconds whenever it is sent
a pipe. It has no threads and opens no audio, so a file that kills a worker cannot hurt it. It
ends, and kills its workers, when the other end of its own pipe is closed: when the parent has
finished, was interrupted, or was killed.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import connection, reduction
from multiprocessing.connection import Connection
from typing import IO, Any

from mgc.audio.processes import launch, messages

DEATH_SECONDS = 2.0  # until the server reports a death
#: Ends of pipes to other processes that a child forked from this one must not keep open.
_OPEN: set[int] = set()
#: Servers started ahead, by the module that each imports: what they were started with as well.
_AHEAD: dict[tuple[str, bool], tuple[list[str], dict[str, str], launch.ChildProcess]] = {}


def start_ahead(module: str, many_threads: bool = False) -> None:
    """Start the next `ForkServer` for a function of this module, which imports it at once: while
    this process imports the same. One that waits already stays."""
    if (module, many_threads) in _AHEAD:
        return
    server = launch.ChildProcess("fork", subprocess.DEVNULL, module, many_threads)
    atexit.register(server.process.kill)  # if nobody wants it
    _AHEAD[module, many_threads] = list(sys.path), dict(os.environ), server


def _started(asked: Mapping[str, Any], log: IO[bytes]) -> launch.ChildProcess:
    """The server that was started ahead for this module, unless what it was started with has
    changed since (libraries may add to the environment); else a new one."""
    many_threads = asked.get("many_threads", False)
    if (key := (asked["load"].partition(":")[0], many_threads)) in _AHEAD:
        path, environment, server = _AHEAD.pop(key)
        with suppress(OSError):  # it is gone
            if path == sys.path and environment.items() <= os.environ.items():
                reduction.send_handle(server.link, log.fileno(), 0)
                return server
        server.process.kill()
        server.end()
    return launch.ChildProcess("fork", log, "", many_threads)


def starter(asked: Mapping[str, Any], log: IO[bytes]) -> ForkServer | launch.SpawnedWorkers:
    """What starts workers on this system; `launch.start_method` says how."""
    return (launch.SpawnedWorkers if launch.start_method() == "spawn" else ForkServer)(asked, log)


class ForkServer:
    """Workers that a fork server forks, seen from the parent."""

    def __init__(self, asked: Mapping[str, Any], log: IO[bytes]) -> None:
        self.server = _started(asked, log)
        self.server.ask(asked)
        self.links = (self.server.link,)
        self.codes: dict[int, int] = {}

    def add_worker(self) -> Connection:
        """The link to a new worker. Raises OSError if the server is gone."""
        ours, theirs = connection.Pipe()
        with theirs:
            reduction.send_handle(self.server.link, theirs.fileno(), 0)
        return ours

    def listen(self) -> bool:
        """Receive everything that the server has sent so far. False if it is gone.

        Raises any error from its set-up.
        """
        try:
            while self.server.link.poll():
                said = messages.receive(self.server.link)
                if "error" in said:
                    messages.raise_error(said)
                self.codes[said["died"]] = said["code"]
        except (EOFError, OSError):
            return False
        return True

    def exit_code(self, link: Connection, pid: int) -> int:
        """How a dead worker ended, as a ``subprocess`` return code; 0 if unknown."""
        deadline = time.monotonic() + DEATH_SECONDS
        while self.listen() and pid not in self.codes and time.monotonic() < deadline:
            self.server.link.poll(0.1)
        return self.codes.get(pid, 0)

    def end(self) -> int:
        """End the server and all its workers, and return its exit code."""
        return self.server.end()


def take_output(link: Connection) -> None:
    """Write to the file that the parent sends. Ends this process if the parent is gone."""
    try:
        handle = reduction.recv_handle(link)
    except (EOFError, OSError, RuntimeError):
        os._exit(0)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)


class ForkedChild:
    """A child forked from this process, which has one thread, and our end of the pipe to it."""

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self.link, theirs = connection.Pipe()
        with theirs:
            ends = [self.link.fileno(), theirs.fileno()]
            self.pid = _fork(os.dup(theirs.fileno()), ends, serve)
        _OPEN.add(self.link.fileno())

    def end(self) -> int:
        """End the child, if it still runs, and return its exit code."""
        _OPEN.discard(self.link.fileno())
        self.link.close()
        deadline = time.monotonic() + DEATH_SECONDS
        while time.monotonic() < deadline:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def fork_workers(control: Connection, serve: Callable[[Connection], None]) -> None:
    """Run as a fork server: fork a worker for each pipe received, report each one that dies."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler is needed for the wake-up
    children: set[int] = set()
    try:
        while True:
            readable = connection.wait([control, wake_read])
            if wake_read in readable:
                os.read(wake_read, 4096)
                _report_deaths(control, children)
            if control in readable:
                handle = reduction.recv_handle(control)
                children.add(_fork(handle, [control.fileno(), wake_read, wake_write], serve))
    except (EOFError, OSError):  # the parent is gone
        return
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def _report_deaths(control: Connection, children: set[int]) -> None:
    for child in list(children):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            children.discard(child)
            messages.send(control, {"died": child, "code": os.waitstatus_to_exitcode(status)})


def _fork(handle: int, others: list[int], serve: Callable[[Connection], None]) -> int:
    child = os.fork()
    if child:
        os.close(handle)
        return child
    try:
        os.setpgid(0, 0)  # whoever kills its own group kills no other worker
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in {*others, *_OPEN}:
            os.close(other)
        _OPEN.clear()
        _OPEN.add(handle)
        serve(Connection(handle))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)
