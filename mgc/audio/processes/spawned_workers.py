"""Workers that are started one by one and import everything themselves: on any system."""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import IO, Any

from mgc.audio.processes import launch


class SpawnedWorkers:
    """Starts workers as processes of their own."""

    links: tuple[Connection, ...] = ()  # there is no server to listen to

    def __init__(self, asked: Mapping[str, Any], log: IO[bytes]) -> None:
        self.asked = asked
        self.log = log
        self.children: dict[Connection, launch.ChildProcess] = {}

    def start(self) -> bool:
        """There is nothing to start before the workers."""
        return True

    def add_worker(self) -> Connection:
        """The link to a new worker."""
        child = launch.ChildProcess("spawn", self.asked, self.log)
        self.children[child.link] = child
        return child.link

    def listen(self) -> bool:
        """There is no server that could be gone."""
        return True

    def exit_code(self, link: Connection, pid: int) -> int:
        """How a worker ended, as ``subprocess`` has it."""
        return self.children[link].end()

    def end(self) -> None:
        """End all workers."""
        for child in self.children.values():
            child.link.close()
        for child in self.children.values():
            child.end()
        self.children.clear()
