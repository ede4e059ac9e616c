"""A function in a process of its own: whatever it does to its process, this one is not affected."""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Mapping
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from mgc.audio.processes import launch, messages, worker
from mgc.audio.processes.pool import TRIES, exit_in_words
from mgc.audio.processes.posix import ForkedChild
from mgc.errors import MgcError

ANSWER_SECONDS = 600.0  # a request that takes longer counts as hung


class Isolated:
    """Calls ``load(**settings)`` in a child process and lets it answer requests.

    The child is started on first use: forked from this process, which must have one thread, or
    spawned if `mgc.audio.processes.launch.start_method` says so.
    """

    def __init__(self, load: str, settings: Mapping[str, Any]) -> None:
        self.asked = {"load": load, "settings": settings}
        self.child: ForkedChild | launch.ChildProcess | None = None
        self.hung = ""

    def __call__(self, request: Any) -> Any:
        """The answer. Raises what the function raises, and MgcError if the child hangs, now or
        before, or if `TRIES` children die."""
        if self.hung:
            raise MgcError(self.hung)
        for _ in range(TRIES):
            try:
                said = self._said(request)
            except (EOFError, OSError):
                how = exit_in_words(self._end())
                continue
            if "error" in said:
                messages.raise_error(said)
            return said["value"]
        raise MgcError(f"its process crashed {TRIES} times ({how})")

    def _said(self, request: Any) -> dict[str, Any]:
        if self.child is None:
            self.child = self._start()
            messages.receive(self.child.link)  # that it is ready
        messages.send(self.child.link, request)
        if not self.child.link.poll(ANSWER_SECONDS):
            self._end()
            self.hung = f"it took more than {ANSWER_SECONDS / 60:.0f} min for one clip"
            raise MgcError(self.hung)
        said: dict[str, Any] = messages.receive(self.child.link)
        return said

    def _start(self) -> ForkedChild | launch.ChildProcess:
        if launch.start_method() == "fork":
            return ForkedChild(partial(_serve, self.asked))
        with open(os.devnull, "wb") as log:
            child = launch.ChildProcess("spawn", log)
        child.ask(self.asked)
        return child

    def _end(self) -> int:
        child, self.child = self.child, None
        return child.end() if child else 0


def _serve(asked: Mapping[str, Any], link: Connection) -> None:
    worker.serve_alone(link, pkgutil.resolve_name(asked["load"])(**asked["settings"]))
