"""Runs a function over many files in several processes, so that no file can stop the others."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from mgc.audio.processes.pool import Lost, Pool, cores

T = TypeVar("T")


def each(
    work: Callable[[Path], T], paths: Sequence[Path], workers: int, crashed: Callable[[Path], T]
) -> Iterator[tuple[Path, T]]:
    """(path, result) in the order of the paths.

    Exceptions from ``work`` are raised here.

    Args:
        work: a module-level function, so that another process finds it; its result is a JSON value
            that may hold arrays.
        paths: the files to work on.
        workers: processes; 0 means one per core.
        crashed: the result for a file on which the process dies or takes too long.
    """
    if not paths:
        return
    settings = {"work": f"{work.__module__}:{work.__qualname__}"}
    pool: Pool[Path] = Pool(f"{__name__}:answering", settings, min(workers or cores(), len(paths)))
    with closing(pool.run(((path, str(path)) for path in paths), Event())) as results:
        for path, value in results:
            yield path, crashed(path) if isinstance(value, Lost) else value


def answering(work: str) -> Callable[[str], Any]:
    """Set up a worker: ``module:function`` → the function that answers the text of a path."""
    function = pkgutil.resolve_name(work)
    return lambda path: function(Path(path))
