"""A function over many files in several processes, such that no file can stop the others."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def each(
    work: Callable[[Path], T],
    paths: Sequence[Path],
    workers: int,
    crashed: Callable[[Path], T],
) -> Iterator[tuple[Path, T]]:
    """(path, result) as they come; a file on which the process dies gets ``crashed(path)``.

    Args:
        work: a function of a module, so that another process finds it.
        paths: what to work on.
        workers: processes; 0 takes one for each core.
        crashed: the result for a file that kills its process.
    """
    workers = workers or os.cpu_count() or 1
    rest = list(paths)
    while rest:
        done: set[Path] = set()
        for path, result in _until_crash(work, rest, workers):
            done.add(path)
            yield path, result
        rest = [path for path in rest if path not in done]
        # Work is handed out in order: who killed the pool is among the first that are left.
        suspects, rest = rest[: 2 * workers + 1], rest[2 * workers + 1 :]
        for path in suspects:
            alone = list(_until_crash(work, [path], 1))
            yield alone[0] if alone else (path, crashed(path))


def _until_crash(
    work: Callable[[Path], T], paths: Sequence[Path], workers: int
) -> Iterator[tuple[Path, T]]:
    """Results until all are done or a process dies."""
    pool = ProcessPoolExecutor(
        min(workers, len(paths)),
        mp_context=multiprocessing.get_context("spawn"),  # no thread or lock is inherited
        initializer=_begin,
    )
    try:
        futures: dict[Future[T], Path] = {pool.submit(work, path): path for path in paths}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Prepare a worker: decoders write their complaints to stderr, results hold them already.

    A killed parent cannot tell its workers to stop, so each watches for itself.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=[parent.sentinel], daemon=True).start()


def _watch(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
