"""Shards that the nodes of a Ray cluster put into the store themselves; only names come back.

One task makes all files of a shard on one CPU, and holds no more of each extractor than a shard
may have (`StoreBackend.shard_bytes`). A lost node loses the shards that it had open, and another
node makes them again. What a node cannot do so (it does not see the store or a file, a file kills
its worker or takes too long) is left to the process that started the extraction, file by file.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from mgc.audio.processes.pool import FILE_SECONDS
from mgc.errors import MgcError
from mgc.features.extraction import ray_node
from mgc.features.extraction.jobs import ExtractionJob
from mgc.features.extraction.tasks import TaskResult
from mgc.features.store_folders import features_root

Answered = Iterator[tuple[ExtractionJob, TaskResult]]


class ShardTasks:
    """Hands out shards; ``one_by_one`` works on the files of those that come back undone, and
    ``window`` tells how many may be out."""

    def __init__(
        self,
        ray: Any,
        records: Sequence[Mapping[str, Any]],
        one_by_one: Callable[[Iterator[ExtractionJob]], Answered],
        window: Callable[[], int],
    ) -> None:
        self.ray = ray
        self.records = records
        self.one_by_one = one_by_one
        self.window = window
        self.absent = False  # until a node says that it sees the store or a file not

    def run(self, jobs: Iterator[ExtractionJob], shard_tracks: int, blocks: int) -> Answered:
        """Each job with its answer, in order. A node gets the files of so many shards at once."""
        self.seconds = blocks * FILE_SECONDS
        do = self.ray.remote(num_cpus=1, max_retries=1)(ray_node.do_shard)
        out: deque[tuple[list[ExtractionJob], Any]] = deque()
        with _token() as token:
            for _, group in groupby(jobs, lambda job: job.number // (shard_tracks * blocks)):
                shard = list(group)
                alone = self.absent or token is None or not any(job.wanted for job in shard)
                root = str(features_root())
                task = None if alone else do.remote(self.records, root, token, shard)
                out.append((shard, task))
                if len(out) > self.window():
                    yield from self._answered(*out.popleft())
            while out:
                yield from self._answered(*out.popleft())

    def _answered(self, shard: list[ExtractionJob], task: Any) -> Answered:
        said = self._said(task) if task is not None else {}
        if "error" in said:
            raise MgcError(said["error"], said["hint"])
        self.absent |= said.get("absent", False)
        if "answers" not in said:
            yield from self.one_by_one(iter(shard))
            return
        for job, answer in zip(shard, said["answers"], strict=True):
            yield job, TaskResult(**answer)

    def _said(self, task: Any) -> dict[str, Any]:
        """What a node says of a shard; nothing if it was lost twice or takes too long."""
        try:
            said: dict[str, Any] = self.ray.get(task, timeout=self.seconds)
        except self.ray.exceptions.RayTaskError:
            raise
        except self.ray.exceptions.RayError:
            self.ray.cancel(task, force=True)
            return {}
        return said


@contextmanager
def _token() -> Iterator[str | None]:
    """A file beside the stores by which nodes tell that they see them; "" for an object store,
    which all see, and None if none can be written."""
    root = features_root()
    if not isinstance(root, Path):
        yield "" if root.partition(":")[0] != "memory" else None
        return
    token = root / f".shared-{uuid.uuid4().hex}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        token.touch()
    except OSError:
        yield None
        return
    try:
        yield str(token)
    finally:
        token.unlink(missing_ok=True)
