"""Folds in worker processes of this machine, one thread each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, cast

from mgc.audio.processes.workers import Workers
from mgc.errors import AudioError, MgcError, UsageError
from mgc.fitting.fold_workers import Answer, FoldWorkers
from mgc.plugins import plugin_process
from mgc.training import processes
from mgc.training.head_spec import HeadSpec


@contextmanager
def side_by_side(
    jobs: int | None, on: str | None = None, gpu_share: float = 1.0
) -> Iterator[FoldWorkers | None]:
    """Workers for this many folds at once, or those of a Ray cluster; None (one after the other,
    here) if ``jobs`` and ``on`` are None.

    The numbers are those of one process with one thread.
    """
    if on is not None:
        from mgc.fitting.ray_folds import on_ray

        with on_ray(on, gpu_share) as workers:
            yield workers
        return
    if jobs is None:
        yield None
        return
    if processes.several():
        raise UsageError("--jobs cannot be combined with torchrun.", "Use one of them.")
    children = Workers("mgc.fitting.fold_training:training", count=jobs)
    with closing(FoldWorkers(jobs, partial(_asked, children))) as workers, children:
        yield workers


def _asked(children: Workers, request: Mapping[str, Any]) -> Answer:
    head = HeadSpec(request["head"])
    if plugin_process.is_wanted(head.entry.distribution):
        return cast(Answer, plugin_process.ask(head, "", request, workers=children))
    try:
        answer: Answer = children.call(request, tries=1)
    except AudioError as error:
        raise MgcError(
            f"Fold {request['fold'] + 1} {error.message}.",
            "The same command continues. With less memory per run: fewer --jobs.",
        ) from error
    return answer
