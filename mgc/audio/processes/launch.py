"""Starts Python processes, each with a pipe, on any system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import IO, Any

from mgc.audio.processes import messages
from mgc.errors import MgcError, UsageError

END_SECONDS = 10.0
_RUN = """import json, sys; sys.path[:] = json.loads(sys.argv[3])
from mgc.audio.processes import worker; worker.start(int(sys.argv[1]), *sys.argv[2::2])"""
#: Libraries with threads of their own read these when they are loaded.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
#: glibc keeps up to 64 MiB that are free: else each clip fetches them anew, page by page.
_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(64 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}


def start_method() -> str:
    """How workers are started: ``fork`` if the system supports it, else ``spawn``.

    ``MGC_START_METHOD`` chooses. Raises UsageError for a method that this system does not support.
    """
    available = ["fork", "spawn"] if hasattr(os, "fork") else ["spawn"]
    method = os.environ.get("MGC_START_METHOD") or available[0]
    if method not in available:
        raise UsageError(
            f"MGC_START_METHOD={method}: this system cannot start processes this way.",
            f"Set it to one of: {', '.join(available)}",
        )
    return method


class ChildProcess:
    """A running child process and our end of the pipe to it.

    It waits for `ask`; until then it imports the module ``ahead``, if one is given. Its libraries
    use a thread each, or with ``many_threads`` as many as those of this process.
    """

    def __init__(
        self, method: str, log: IO[bytes] | int, ahead: str = "", many_threads: bool = False
    ) -> None:
        self.link, theirs = connection.Pipe()
        command = [sys.executable, "-P", "-c", _RUN, str(theirs.fileno()), method]
        with theirs:
            self.process = subprocess.Popen(
                [*command, json.dumps(sys.path), ahead],
                env={**_MEMORY, **os.environ, **({} if many_threads else _ONE_THREAD)},
                start_new_session=True,  # Ctrl-C reaches only us
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **_inherited(theirs.fileno()),
            )

    def ask(self, asked: Mapping[str, Any]) -> None:
        """Tell it what to load, and with which settings."""
        with suppress(OSError):  # it is dead: reading its link will show that
            messages.send(self.link, asked)

    def end(self) -> int:
        """Close the link, which ends the process, and return its exit code."""
        self.link.close()
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class SpawnedWorkers:
    """Workers that are started one at a time and import everything themselves."""

    links: tuple[Connection, ...] = ()  # no server reports on them

    def __init__(self, asked: Mapping[str, Any], log: IO[bytes]) -> None:
        self.asked = asked
        self.log = log
        self.children: dict[Connection, ChildProcess] = {}

    def add_worker(self) -> Connection:
        """The link to a new worker."""
        child = ChildProcess("spawn", self.log, "", self.asked.get("many_threads", False))
        child.ask(self.asked)
        self.children[child.link] = child
        return child.link

    def listen(self) -> bool:
        """See `mgc.audio.processes.posix.ForkServer`; here there is nothing to collect."""
        return True

    def exit_code(self, link: Connection, pid: int) -> int:
        """How a dead worker ended, as a ``subprocess`` return code."""
        return self.children[link].end()

    def end(self) -> int:
        """End all workers, even while another thread reads their links."""
        for child in self.children.values():
            child.process.terminate()
        return max([child.end() for child in self.children.values()], default=0)


def _inherited(handle: int) -> dict[str, Any]:
    """The arguments of Popen that let a child inherit one end of a pipe."""
    if sys.platform != "win32":
        return {"pass_fds": [handle]}
    os.set_handle_inheritable(handle, True)
    return {"startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})}


def connected(handle: int) -> Connection:
    """The end of a pipe that this process inherited."""
    kind = getattr(connection, "PipeConnection", Connection)  # on Windows it is a named pipe
    link: Connection = kind(handle)
    return link


def cannot_work(log: IO[bytes]) -> MgcError:
    """The error for processes that do not stay alive, with their last output."""
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    last = f" ({lines[-1]})" if lines else ""
    return MgcError(
        f"Worker processes cannot be started or do not stay alive{last}.",
        "Use a single process: --workers 1",
    )
