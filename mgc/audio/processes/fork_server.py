"""Workers that a fork server forks, seen from the parent; the other side is `posix`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import IO, Any

from mgc.audio.processes import launch, messages

START_SECONDS = 300.0  # for importing everything, on a slow disk
DEATH_SECONDS = 2.0  # until the server tells of a death


class ForkServer:
    """Starts workers by forking a process that has imported everything."""

    def __init__(self, asked: Mapping[str, Any], log: IO[bytes]) -> None:
        self.asked = asked
        self.log = log
        self.codes: dict[int, int] = {}
        self.server: launch.ChildProcess | None = None
        self.links: list[Connection] = []

    def start(self) -> bool:
        """Start the server and wait until it is ready. False if it was killed meanwhile.

        Raises MgcError if it cannot start, and what its set-up raises.
        """
        self.server = server = launch.ChildProcess("fork", self.asked, self.log)
        self.links = [server.link]
        try:
            if not server.link.poll(START_SECONDS):
                raise TimeoutError
            said = messages.receive(server.link)
        except (EOFError, OSError) as error:
            if server.end() < 0:
                return False
            raise launch.cannot_work(self.log) from error
        if "error" in said:
            messages.raise_error(said)
        return True

    def add_worker(self) -> Connection:
        """The link to a new worker. Raises OSError if the server is gone."""
        from mgc.audio.processes import posix

        ours, theirs = connection.Pipe()
        with theirs:
            posix.send_link(self.links[0], theirs)
        return ours

    def listen(self) -> bool:
        """Take all that the server has said of deaths. False if the server itself is gone."""
        try:
            while self.links[0].poll():
                said = messages.receive(self.links[0])
                self.codes[said["died"]] = said["code"]
        except (EOFError, OSError):
            return False
        return True

    def exit_code(self, link: Connection, pid: int) -> int:
        """How a worker ended, as ``subprocess`` has it; 0 if nobody knows."""
        deadline = time.monotonic() + DEATH_SECONDS
        while self.listen() and pid not in self.codes and time.monotonic() < deadline:
            self.links[0].poll(0.1)
        return self.codes.get(pid, 0)

    def end(self) -> None:
        """End the server, and all its workers with it."""
        if self.server:
            self.server.end()
