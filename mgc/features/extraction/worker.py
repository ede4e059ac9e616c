"""The processes behind `mgc.features.extraction.pool`: a nursery, and the workers that it forks.

The nursery imports everything once and then forks a worker whenever it is sent a socket, in
milliseconds. It has no threads and opens no audio, so a file that kills a worker cannot hurt it.
It ends, and ends its workers, when the other end of its own socket is closed: when the parent has
finished, was interrupted, or was killed.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import traceback
from pathlib import Path

from mgc.errors import MgcError
from mgc.features.extraction import messages
from mgc.features.extraction.tasks import Work, built, one_thread

#: Added to a worker's badness for Linux's out-of-memory killer: workers go before their parent.
OOM_SCORE = "500"


def start(control_fd: int) -> None:
    """Be the nursery of the process that holds the other end of a socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with socket.socket(fileno=control_fd) as control:
        asked = messages.receive(control).record
        try:
            work = Work(built(asked["sources"]), asked["task"])
        except MgcError as error:
            messages.send(control, {"error": error.message, "hint": error.hint})
            return
        with one_thread():
            gc.freeze()  # what is imported stays: collecting it again takes 50 ms in each worker
            messages.send(control, {"ready": True})
            _raise_workers(control, work)
    os._exit(0)  # to take an interpreter with torch apart takes half a second


def _raise_workers(control: socket.socket, work: Work) -> None:
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler, so that the wake-up comes
    children: set[int] = set()
    try:
        while True:
            readable, _, _ = select.select([control.fileno(), wake_read], [], [])
            if wake_read in readable:
                os.read(wake_read, 4096)
                _report_deaths(control, children)
            if control.fileno() in readable:
                message, handles, _, _ = socket.recv_fds(control, 1, 1)
                if not message:
                    return
                children.add(_fork(handles[0], control, wake_read, wake_write, work))
    except OSError:  # the parent is gone while we spoke
        return
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def _report_deaths(control: socket.socket, children: set[int]) -> None:
    for child in list(children):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            children.discard(child)
            code = os.waitstatus_to_exitcode(status)
            messages.send(control, {"died": child, "code": code})


def _fork(handle: int, control: socket.socket, wake_read: int, wake_write: int, work: Work) -> int:
    child = os.fork()
    if child:
        os.close(handle)
        return child
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        os.close(wake_read)
        os.close(wake_write)
        with socket.socket(fileno=handle) as parent:
            _serve(parent, work)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _serve(parent: socket.socket, work: Work) -> None:
    """Be a worker: one file after another, until nobody asks any more."""
    _go_first_when_memory_ends()
    try:
        messages.send(parent, {"pid": os.getpid()})
        while True:
            asked = messages.receive(parent).record
            answer = work(Path(asked["path"]), asked["wanted"])
            messages.send(parent, {"reason": answer.reason, "parts": answer.parts}, answer.arrays)
    except (EOFError, OSError):
        return


def _go_first_when_memory_ends() -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    except OSError:  # not Linux, or not allowed
        return
