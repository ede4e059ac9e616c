"""All that only POSIX systems have: forking, and passing open files to another process.

A fork server imports everything once and then forks a worker in milliseconds whenever it is sent
a pipe. It has no threads and opens no audio, so a file that kills a worker cannot hurt it. It
ends, and kills its workers, when the other end of its own pipe is closed: when the parent has
finished, was interrupted, or was killed.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing import connection, reduction
from multiprocessing.connection import Connection

from mgc.audio.processes import messages


def send_link(control: Connection, link: Connection) -> None:
    """Have a fork server fork a worker for this end of a pipe."""
    reduction.send_handle(control, link.fileno(), 0)


def fork_workers(control: Connection, serve: Callable[[Connection], None]) -> None:
    """Be a fork server: fork a worker for each pipe sent, tell of each that dies."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler, so that the wake-up comes
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
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in others:
            os.close(other)
        serve(Connection(handle))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
