"""What runs in the processes behind `mgc.audio.processes.pool`.

The parent names a function as data, ``module:function``, with its settings. The function sets up
and returns the function that answers requests; requests and answers travel as `messages`.
"""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from mgc.audio.processes import launch, messages, posix
from mgc.errors import MgcError

#: Makes Linux's out-of-memory killer choose workers before their parent.
OOM_SCORE = "500"
_PARENT: list[Connection] = []  # of this worker


def start(handle: int, method: str, ahead: str = "") -> None:
    """Run as the fork server or spawned worker of the process at the other end of a pipe.

    A fork server that was started ahead imports that module before it knows what to load.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    link = launch.connected(handle)
    gc.disable()  # a tenth of the time of importing torch goes into collections
    if ahead:
        with suppress(Exception):  # it is imported again, and raises again
            importlib.import_module(ahead)
        posix.take_output(link)
    asked = messages.receive(link)
    try:
        work = pkgutil.resolve_name(asked["load"])(**asked["settings"])
    except MgcError as error:
        messages.send(link, messages.described(error))
        return
    gc.freeze()  # imported objects stay: collecting them takes 50 ms in each worker
    gc.enable()
    if method == "fork":
        posix.fork_workers(
            link, lambda parent: serve(parent, work, partial(messages.receive, parent))
        )
    else:
        serve_alone(link, work)
    os._exit(0)  # tearing down an interpreter with torch takes half a second


def serve(link: Connection, work: Callable[[Any], Any], receive: Callable[[], Any]) -> None:
    """Answer one request after another, until the parent closes the link."""
    _PARENT[:] = [link]
    with suppress(OSError):  # not Linux, or not allowed
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    with suppress(EOFError, OSError):
        messages.send(link, {"pid": os.getpid()})
        while True:
            messages.send(link, _answer(work, receive()))


def tell(value: Any) -> None:
    """Tell the parent something before the request is answered."""
    messages.send(_PARENT[0], {"told": value})


def serve_alone(link: Connection, work: Callable[[Any], Any]) -> None:
    """Like `serve`, but end at once when the parent is gone, even in the middle of a request."""
    requests: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_read, args=(link, requests), daemon=True).start()
    serve(link, work, requests.get)


def _answer(work: Callable[[Any], Any], request: Any) -> dict[str, Any]:
    try:
        return {"value": work(request)}
    except BaseException as error:  # SystemExit too: it is the work's, not the process's
        return messages.described(error)


def _read(link: Connection, requests: SimpleQueue[Any]) -> None:
    """Queue the requests; end this process when the parent is gone, even in the middle of one, or
    if it can receive nothing more, whatever a plug-in did."""
    try:
        while True:
            requests.put(messages.receive(link))
    finally:
        os._exit(0)
