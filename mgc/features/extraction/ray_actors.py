"""The GPUs of a Ray cluster: one actor on each makes features from what the CPUs decode."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from mgc.errors import MgcError
from mgc.features.extraction.gpu import batches, extracted
from mgc.features.extraction.jobs import ExtractionJob
from mgc.features.extraction.tasks import Outcome, TaskResult, built

GROUP_FILES = 4  # files sent to an actor at once
GPU_SECONDS = 120.0  # how long to wait for a free GPU
TRIES = 3  # times that a group is handed out if actors die on it


@dataclass(frozen=True)
class Decoded:
    """A node's result for one job; ``payload`` refers to arrays that are still in the cluster."""

    job: ExtractionJob
    answer: TaskResult
    payload: Any = None

    def fetched(self, ray: Any) -> TaskResult:
        """The result with its arrays; they are fetched now."""
        if self.payload is None:
            return self.answer
        return replace(self.answer, arrays=list(ray.get(self.payload)))


def unusable(error: MgcError) -> dict[str, str]:
    """What a node says if it cannot work."""
    return {"error": f"{socket.gethostname()}: {error.message}", "hint": error.hint}


class GpuWorker:
    """An actor that makes features from what other workers decode."""

    def __init__(self, sources: Sequence[dict[str, Any]]) -> None:
        self.trouble: dict[str, str] = {}
        try:
            self.sources = built(sources)
        except MgcError as error:
            self.trouble = unusable(error)

    def ready(self) -> dict[str, str]:
        """Report that it has its GPU, or why it cannot be used."""
        return self.trouble

    def extract(
        self, files: Sequence[tuple[str, Sequence[int], list[Any]]], *arrays: list[np.ndarray]
    ) -> list[TaskResult]:
        """(path, wanted sources, parts) and waveforms of some files → their answers."""
        batch = [
            (ExtractionJob(0, Path(path), wanted=tuple(wanted)), TaskResult("", list(waves), parts))
            for (path, wanted, parts), waves in zip(files, arrays, strict=True)
        ]
        return [answer for _, answer in extracted(self.sources, batch)]


class Actors:
    """One actor per free GPU."""

    def __init__(self, ray: Any, records: Sequence[dict[str, Any]], gpus: int) -> None:
        self.ray = ray
        make = ray.remote(num_gpus=1, max_restarts=-1, max_task_retries=TRIES - 1)(GpuWorker)
        actors = [make.remote(records) for _ in range(gpus)]
        asked = {actor.ready.remote(): actor for actor in actors}
        ray.wait(list(asked), num_returns=1, timeout=GPU_SECONDS)
        ready, waiting = ray.wait(list(asked), num_returns=gpus, timeout=1.0)
        for reference in waiting:  # someone else is using its GPU
            ray.kill(asked[reference])
        if not ready:
            hint = "Try again when they are free."
            raise MgcError(f"None of the cluster's {gpus} GPUs became free.", hint)
        for said in ray.get(ready):
            if "error" in said:
                raise MgcError(said["error"], said["hint"])
        self.actors = [asked[reference] for reference in ready]

    def run(self, decoded: Iterator[Decoded], shard_tracks: int) -> Iterator[Outcome]:
        """Decoded files → features, in the same order; the waveforms stay in the cluster."""
        turn = cycle(self.actors)
        out: deque[tuple[list[Decoded], Any]] = deque()
        groups = batches(
            decoded,
            shard=lambda one: one.job.number // shard_tracks,
            is_full=lambda group: len(group) == GROUP_FILES,
        )
        for group in groups:
            out.append((group, self._extract(next(turn), group)))
            if len(out) > 2 * len(self.actors):
                yield from self._extracted(*out.popleft())
        while out:
            yield from self._extracted(*out.popleft())

    def _extract(self, actor: Any, group: Sequence[Decoded]) -> Any:
        waiting = [one for one in group if one.payload is not None]
        if not waiting:
            return None
        files = [(str(one.job.path), one.job.wanted, one.answer.parts) for one in waiting]
        return actor.extract.remote(files, *[one.payload for one in waiting])

    def _extracted(self, group: list[Decoded], reference: Any) -> Iterator[Outcome]:
        try:
            made = iter(self.ray.get(reference) if reference is not None else [])
        except self.ray.exceptions.RayActorError as error:
            if len(group) > 1:  # one of them killed the actor: find out which
                for one in group:
                    yield from self._extracted([one], self._extract(self.actors[0], [one]))
            else:
                how = f"its GPU worker crashed {TRIES} times ({type(error).__name__})"
                yield group[0].job, TaskResult(f"{group[0].job.path}: {how}.")
            return
        for one in group:
            yield one.job, one.answer if one.payload is None else next(made)
