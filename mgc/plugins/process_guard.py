"""A plug-in's code in this process: what it does to the process is undone, and if the process ends
in it, it is named."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import get_ident
from typing import Any, NoReturn

#: Says the last line that it was told, unless that is empty, when nobody can tell it more.
_WATCH = "import sys; *_, last = '', *sys.stdin; sys.stderr.write(last if last.strip() else '')"


@contextmanager
def guarded(plugin: str) -> Iterator[None]:
    """Run a plug-in's code; it is named in a line if the process ends, and `os._exit` raises
    SystemExit."""
    own, leave, watch = (os.getpid(), get_ident()), os._exit, _watcher(os.getpid())

    def left(status: int) -> NoReturn:
        if (os.getpid(), get_ident()) != own:
            leave(status)
        raise SystemExit(status)

    with _undone():
        _tell(watch, f"Error: The process ended in {plugin}.")
        os._exit = left
        try:
            yield
        finally:
            os._exit = leave
            _tell(watch, "")


@cache
def _watcher(process: int) -> subprocess.Popen[bytes]:
    """The process that watches this one; not the one that watches what this was forked from."""
    stderr = None
    with suppress(AttributeError, OSError, ValueError):
        stderr = sys.stderr.fileno()  # not 2, which points to nowhere meanwhile
    command = [sys.executable, "-I", "-S", "-c", _WATCH]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stderr=stderr, start_new_session=True)


def _tell(watch: subprocess.Popen[bytes], line: str) -> None:
    with suppress(OSError, ValueError):  # a plug-in may have closed it
        if watch.stdin:
            watch.stdin.write(line.encode("utf-8", "backslashreplace") + b"\n")
            watch.stdin.flush()


@contextmanager
def _undone() -> Iterator[None]:
    """Restore what all code in a process shares."""
    import numpy as np

    folder, path, environment = os.getcwd(), list(sys.path), dict(os.environ)
    streams, depth = (sys.stdout, sys.stderr), sys.getrecursionlimit()
    mask = os.umask(0o077)
    os.umask(mask)
    settings = _of_torch(sys.modules["torch"]) if "torch" in sys.modules else []
    kept = [(*both, both[0]()) for both in settings]
    try:
        with np.errstate(), warnings.catch_warnings():
            yield
    finally:
        sys.setrecursionlimit(depth)
        os.umask(mask)
        sys.path[:], (sys.stdout, sys.stderr) = path, streams
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        for read, write, value in kept:
            if read() != value:  # to set determinism imports a compiler
                write(value)


def _of_torch(torch: Any) -> list[tuple[Callable[[], Any], Callable[[Any], None]]]:
    """What reads a setting, and what sets it."""
    backends = "mkldnn_enabled", "cudnn_enabled", "cudnn_benchmark", "cudnn_deterministic"
    own = [[getattr(torch._C, f"_{verb}_{name}") for verb in ("get", "set")] for name in backends]
    return [
        *((read, write) for read, write in own),
        (torch.get_default_dtype, torch.set_default_dtype),
        (torch.get_default_device, torch.set_default_device),
        (torch.get_num_threads, torch.set_num_threads),
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
        (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    ]
