"""Work on a Ray cluster, with the same jobs, answers, shards and fingerprints as on one machine.

Nodes that see the audio and the store make whole shards (`mgc.features.extraction.ray_shards`). In
every other case only this process needs them: a node that sees a file at the same path, with the
same size and mtime, reads it there; otherwise its bytes travel with the job. Features travel
back and are put into shards here, in order. Every node decodes on its CPUs; if the cluster has
GPUs, one actor on each makes the features.

At most `JOBS_PER_CPU` jobs per CPU, or `OUT_BYTES`, are out at once, and features are fetched in
order, so that neither this process nor the cluster's memory fills up. Ray gives the work of a lost
node or worker to another; a file that kills `TRIES` workers is left out with the reason.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc.audio.file_cache import batched
from mgc.audio.processes.pool import FILE_SECONDS, TRIES
from mgc.errors import MgcError
from mgc.features import file_hashes
from mgc.features.extraction import ray_node
from mgc.features.extraction.jobs import ExtractionJob, File
from mgc.features.extraction.ray_actors import Actors, Decoded, answer
from mgc.features.extraction.ray_shards import ShardTasks
from mgc.features.extraction.remote_sources import described
from mgc.features.extraction.tasks import TaskResult, Work, one_thread
from mgc.features.extractor_spec import ExtractorSpec
from mgc.features.file_hashes import Stamp
from mgc.features.store_folders import features_root

HASHED_AT_ONCE, HASH_TASKS = 32, 4  # files that one task hashes, and such tasks out at once
JOBS_PER_CPU = 2  # out at once
OUT_BYTES = 1 << 30  # of the answers that may wait in the cluster's memory
SIZE_SECONDS = 10.0  # how often the size of the cluster is asked for; it may grow or shrink
LOST_TRIES = 3  # times that a job is handed out again when its result was lost with a node
SHIPPED_BYTES = 64 << 20  # larger files do not travel: this process works on them itself
GPU_DEVICE = "cuda"
MAX_BLOCKS = 16  # lost with a node at the most, times `SHARD_TRACKS` files
CLIENT_PORT = 10_001


@dataclass
class _Out:
    """A job that is out: the reference to its status, and since when it is out."""

    job: ExtractionJob
    status: Any
    payload: Any
    since: float
    tries: int


class Cluster:
    """Workers on a Ray cluster.

    ``address`` is ``ray`` (this machine's cluster, or the one that ``RAY_ADDRESS`` names) or
    ``ray://HOST[:PORT]``.
    """

    def __init__(
        self, sources: Sequence[ExtractorSpec], address: str, shard_tracks: int, waiting: int = 0
    ) -> None:
        self.sources = sources
        self.address = address
        self.shard_tracks, self.waiting = shard_tracks, waiting
        self.ship = False  # until a node says that it does not see a file
        self.records = described(sources, "cpu")
        self.sized = (0.0, 0)  # when the cluster was last asked, and its CPUs
        self.largest = 1  # bytes of one answer so far

    def run(self, jobs: Iterator[ExtractionJob]) -> Iterator[tuple[ExtractionJob, TaskResult]]:
        """Each job with its answer, in the order of the jobs.

        Raises MgcError if the cluster cannot be reached or its nodes have other versions.
        """
        with connected(self.address) as ray:
            self.ray = ray
            self.read = ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(file_hashes.read)
            self.do = ray.remote(num_cpus=1, num_returns=2, max_retries=TRIES - 1)(ray_node.do)
            try:
                if gpus := int(self.ray.cluster_resources().get("GPU", 0)):
                    decoded = self._ordered(jobs, "waves")
                    records = described(self.sources, GPU_DEVICE)
                    yield from Actors(self.ray, records, gpus).run(decoded, self.shard_tracks)
                else:
                    shards = ShardTasks(self.ray, self.records, self._one_by_one, self._window)
                    yield from shards.run(jobs, self.shard_tracks, self._blocks())
            except self.ray.exceptions.RayError as error:
                raise _failed(error) from error

    def hashed(self, files: Iterator[File]) -> Iterator[File]:
        """The same files; those that are new, with their hashes from nodes that see them."""
        out: deque[tuple[list[File], Any]] = deque()
        for some in batched(files, HASHED_AT_ONCE):
            new = [path for _, path, known in some if not known]
            out.append((some, self.read.remote(new) if new else None))
            if len(out) >= HASH_TASKS:
                yield from self._hashed(*out.popleft())
        while out:
            yield from self._hashed(*out.popleft())

    def _hashed(self, files: list[File], task: Any) -> Iterator[File]:
        there: dict[Path, tuple[Stamp, str]] = {}
        with suppress(self.ray.exceptions.RayError):
            there = self.ray.get(task) if task is not None else {}
        for number, path, known in files:
            if path in there:
                (then, hashed), now = there[path], file_hashes.stamp(path)
                known = (now, hashed) if now and then[:2] == now[:2] else None
            yield number, path, known

    # Jobs out and back, in order

    def _one_by_one(
        self, jobs: Iterator[ExtractionJob]
    ) -> Iterator[tuple[ExtractionJob, TaskResult]]:
        for out in self._ordered(jobs, "features"):
            yield out.job, answer(self.ray, out)

    def _ordered(self, jobs: Iterator[ExtractionJob], task: str) -> Iterator[Decoded]:
        """The outcome of each job, in the order of the jobs."""
        turn: deque[ExtractionJob] = deque()
        out: dict[Any, _Out] = {}
        done: dict[int, Decoded] = {}
        while True:
            while len(turn) < self._window() and (job := next(jobs, None)):
                turn.append(job)
                if job.wanted and self._is_ours(job):
                    done[job.number] = self._work_here(job)
                elif job.wanted:
                    self._hand_out(out, job, task)
                else:
                    done[job.number] = Decoded(job, job.problem)
            if not turn:
                return
            while turn and turn[0].number in done:
                yield done.pop(turn.popleft().number)
            if out and turn:
                self._collect(out, done, task)

    def _window(self) -> int:
        asked, cpus = self.sized
        if time.monotonic() - asked > SIZE_SECONDS:
            cpus = int(self.ray.cluster_resources().get("CPU", 1))
            self.sized = (time.monotonic(), cpus)
        jobs = max(self.shard_tracks // 2, JOBS_PER_CPU * cpus)
        return max(1, min(jobs, OUT_BYTES // self.largest))

    def _blocks(self) -> int:
        """Shards' worth of files that a node gets at once: on an object store, shards are large."""
        if isinstance(features_root(), Path):
            return 1
        return max(1, min(MAX_BLOCKS, self.waiting // (self.shard_tracks * self._window())))

    def _is_ours(self, job: ExtractionJob) -> bool:
        return self.ship and job.stamp[0] > SHIPPED_BYTES

    def _work_here(self, job: ExtractionJob) -> Decoded:
        """A file too large to travel is worked on by this process."""
        with one_thread():
            made = Work(self.sources, "features")(job.path, job.wanted)
        return Decoded(job, made.reason, made.parts, features=made)

    def _hand_out(
        self, out: dict[Any, _Out], job: ExtractionJob, task: str, tries: int = 1
    ) -> None:
        content = None
        if self.ship:
            try:
                content = job.path.read_bytes()
            except OSError:
                content = b""  # it has vanished; the node will report it
        status, payload = self.do.remote(
            self.records, task, str(job.path), job.stamp[:2], job.wanted, content
        )
        out[status] = _Out(job, status, payload, time.monotonic(), tries)

    def _collect(self, out: dict[Any, _Out], done: dict[int, Decoded], task: str) -> None:
        """Receive the statuses that have arrived; waits for a second at most."""
        ready, _ = self.ray.wait(list(out), num_returns=1, timeout=1.0, fetch_local=False)
        for reference in ready:
            one = out.pop(reference)
            status = self._status(one)
            if status is None and one.tries < LOST_TRIES:
                self._hand_out(out, one.job, task, one.tries + 1)
            elif status is None:
                raise MgcError(f"The cluster lost {one.job.path} {LOST_TRIES} times.")
            elif status.get("absent") and self._is_ours(one.job):
                done[one.job.number] = self._work_here(one.job)
            elif status.get("absent"):
                self.ship = True
                self._hand_out(out, one.job, task)
            else:
                self.largest = max(self.largest, status.pop("bytes", 0))
                done[one.job.number] = Decoded(one.job, **status, payload=one.payload)
        self._leave_out_the_slow(out, done)

    def _status(self, one: _Out) -> dict[str, Any] | None:
        """A worker's status for its file; None if the answer was lost with its node."""
        errors = self.ray.exceptions
        try:
            status: dict[str, Any] = self.ray.get(one.status)
        except (errors.WorkerCrashedError, errors.OutOfMemoryError) as error:
            how = type(error).__name__
            return {"reason": f"{one.job.path}: its worker process crashed {TRIES} times ({how})."}
        except errors.RayTaskError as error:
            raise _failed(error) from error
        except errors.RayError:
            return None
        if "error" in status:
            raise MgcError(status["error"], status["hint"])
        return status

    def _leave_out_the_slow(self, out: dict[Any, _Out], done: dict[int, Decoded]) -> None:
        for reference, one in list(out.items()):
            if time.monotonic() - one.since > 2 * FILE_SECONDS:  # half of that may be waiting
                self.ray.cancel(reference, force=True)
                del out[reference]
                minutes = FILE_SECONDS / 60
                reason = f"{one.job.path}: takes more than {minutes:.0f} min."
                done[one.job.number] = Decoded(one.job, reason)


def _failed(error: Exception) -> MgcError:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return MgcError(
        f"The Ray cluster failed: {lines[-1].strip() if lines else type(error).__name__}",
        "Is the same version of mgc, with its plug-ins, installed on every node?",
    )


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to the cluster at ``address``, or as the caller has connected it.

    Raises MgcError if there is none.
    """
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    at = address if address.startswith("ray://") else "auto"
    if at != "auto" and ":" not in at.removeprefix("ray://"):
        at += f":{CLIENT_PORT}"
    try:
        ray.init(at, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise MgcError(
            f"No Ray cluster answers at {address}: {str(error).splitlines()[0]}",
            "Start one (ray start --head) or give its head: --on ray://HOST:10001",
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MgcError(
            "Ray is not installed.", "Install it: pip install 'mgc-music[ray]'"
        ) from error
    return ray
