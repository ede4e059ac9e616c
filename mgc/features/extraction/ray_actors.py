"""The GPUs of a Ray cluster: one actor on each makes features from what the CPUs decode."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from mgc.errors import MgcError
from mgc.features.extraction import ray_node
from mgc.features.extraction.jobs import ExtractionJob
from mgc.features.extraction.tasks import TaskResult

GROUP_FILES = 4  # files sent to an actor at once
GPU_SECONDS = 120.0  # how long to wait for a free GPU
TRIES = 3  # times that a group is handed out if actors die on it


@dataclass(frozen=True)
class Decoded:
    """A node's result for one job: why it failed, or a reference to its arrays in the cluster.

    ``features`` is set if the work was done without the cluster.
    """

    job: ExtractionJob
    reason: str = ""
    parts: list[Any] = field(default_factory=list)
    origin: list[Any] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    payload: Any = None
    features: TaskResult | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether there are arrays to fetch, or to make features from."""
        return not self.reason and self.payload is not None


def answer(ray: Any, made: Decoded) -> TaskResult:
    """The answer for a job whose features are made; they are fetched now."""
    if made.is_waiting:
        arrays = list(ray.get(made.payload))
        return TaskResult("", arrays, made.parts, made.origin, reasons=made.reasons)
    return made.features or TaskResult(made.reason)


class Actors:
    """One actor per free GPU."""

    def __init__(self, ray: Any, records: Sequence[dict[str, Any]], gpus: int) -> None:
        self.ray = ray
        make = ray.remote(num_gpus=1, max_restarts=-1, max_task_retries=TRIES - 1)(
            ray_node.GpuWorker
        )
        asked = {}
        for _ in range(gpus):
            actor = make.remote(records)
            asked[actor.ready.remote()] = actor
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

    def run(
        self, decoded: Iterator[Decoded], shard_tracks: int
    ) -> Iterator[tuple[ExtractionJob, TaskResult]]:
        """Decoded files → features, in the same order; the waveforms stay in the cluster."""
        turn = cycle(self.actors)
        out: deque[tuple[list[Decoded], Any]] = deque()
        for group in _groups(decoded, shard_tracks):
            out.append((group, self._extract(next(turn), group)))
            if len(out) > 2 * len(self.actors):
                yield from self._extracted(*out.popleft())
        while out:
            yield from self._extracted(*out.popleft())

    def _extract(self, actor: Any, group: Sequence[Decoded]) -> Any:
        waiting = [one for one in group if one.is_waiting]
        if not waiting:
            return None
        files = [(str(one.job.path), one.job.wanted, one.parts, one.origin) for one in waiting]
        return actor.extract.remote(files, *[one.payload for one in waiting])

    def _extracted(
        self, group: list[Decoded], reference: Any
    ) -> Iterator[tuple[ExtractionJob, TaskResult]]:
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
            yield one.job, TaskResult(*next(made)) if one.is_waiting else answer(self.ray, one)


def _groups(decoded: Iterator[Decoded], shard_tracks: int) -> Iterator[list[Decoded]]:
    """Group consecutive files of one shard, so that groups are the same in every run."""
    group: list[Decoded] = []
    for one in decoded:
        shard = one.job.number // shard_tracks
        other = bool(group) and group[0].job.number // shard_tracks != shard
        if other or len(group) == GROUP_FILES:
            yield group
            group = []
        group.append(one)
    if group:
        yield group
