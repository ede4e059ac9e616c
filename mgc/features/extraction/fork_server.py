"""The process that forks the workers, seen from its parent; the other side is `worker`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from mgc.errors import MgcError
from mgc.features.extraction import messages

START_SECONDS = 300.0  # for importing everything, on a slow disk
MESSAGE_SECONDS = 120.0  # for the rest of a message that has begun
END_SECONDS = 10.0
TELL_SECONDS = 2.0  # until a death is told
_RUN = """import json, sys; sys.path[:] = json.loads(sys.argv[2])
from mgc.features.extraction import worker; worker.start(int(sys.argv[1]))"""
#: Libraries with threads of their own read these when they are loaded.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
_MEANINGS = {signal.SIGSEGV: "a crash in its decoder", signal.SIGKILL: "memory may have run out"}


class ForkServer:
    """A running process that forks workers for what was ``asked``."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self.asked = asked
        self.deaths: dict[int, int] = {}
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _RUN, str(theirs.fileno()), json.dumps(sys.path)],
                env={**os.environ, **_ONE_THREAD},
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C reaches us alone
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
            )

    def is_ready(self) -> bool:
        """Wait until it is. False where it was killed meanwhile.

        Raises MgcError where it cannot start, or would make other features.
        """
        self.control.settimeout(START_SECONDS)
        try:
            messages.send(self.control, self.asked)
            said = messages.receive(self.control).record
        except (EOFError, OSError) as error:
            self._stop()
            if self.process.returncode < 0:
                return False
            raise self.trouble() from error
        if "error" in said:
            raise MgcError(said["error"], said["hint"])
        self.control.settimeout(MESSAGE_SECONDS)
        return True

    def fork(self) -> socket.socket:
        """Our end of the socket of a new worker. Raises OSError where the nursery is gone."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [b"f"], [theirs.fileno()])
        ours.settimeout(MESSAGE_SECONDS)
        return ours

    def listen(self) -> bool:
        """Hear of the death of a worker. False where the nursery itself is gone."""
        try:
            said = messages.receive(self.control).record
        except (EOFError, OSError):
            return False
        self.deaths[said["died"]] = said["code"]
        return True

    def how_it_died(self, worker: int) -> str:
        """The end of a worker in words: its signal, or its exit code."""
        deadline = time.monotonic() + TELL_SECONDS
        while worker not in self.deaths and time.monotonic() < deadline:
            if not self.listen():
                break
        code = self.deaths.get(worker, 0)
        if code >= 0:
            return f"exit code {code}"
        number = signal.Signals(-code)
        return f"{number.name}: {_MEANINGS[number]}" if number in _MEANINGS else number.name

    def trouble(self) -> MgcError:
        """The error for a nursery that does not live, with the last that it said."""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        last = f" ({lines[-1]})" if lines else ""
        return MgcError(
            f"Worker processes cannot be started or do not stay alive{last}.",
            "Work in this process alone: --workers 1",
        )

    def end(self) -> None:
        """End it, and all its workers with it."""
        self._stop()
        self.log.close()

    def _stop(self) -> None:
        self.control.close()  # it ends its workers, and itself
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
