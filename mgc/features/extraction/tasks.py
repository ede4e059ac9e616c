"""What a worker does with one file, and how it reports it: as a record and arrays.

It is the same on a core of this machine (`mgc.audio.processes`) and of a cluster
(`mgc.features.extraction.ray_cluster`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any, Literal

import numpy as np
from threadpoolctl import ThreadpoolController

from mgc.audio import decoders
from mgc.audio.processes.pool import Lost, Pool
from mgc.audio.sound_length import HEARING_REVISION
from mgc.errors import MgcError, in_words
from mgc.features.extraction.jobs import ExtractionJob
from mgc.features.extraction.one_file import Rows, Run, by_policy, heard, made_of, reason_of
from mgc.features.extraction.prefetch import prefetched
from mgc.features.extraction.remote_sources import described
from mgc.features.extractor_spec import ExtractorSpec

#: Files whose features may wait for their shard, so that workers continue while one is synced.
READY = 8

WORKER = "mgc.features.extraction.file_worker:answering"  # what worker processes load

#: ``features`` decodes and extracts; ``waves`` only decodes, for an extractor on a GPU.
Task = Literal["features", "waves"]


@dataclass(frozen=True)
class TaskResult:
    """The result for one file: why it failed, or its arrays and what they are.

    For ``features``, the arrays are the clips of every wanted source in turn, and ``parts`` counts
    them: [3, 3]; a last array holds the seconds that were heard. For ``waves``, they are
    waveforms, and ``parts`` says what each is for, in the form of `heard_by`. ``origin`` says how
    the file was heard, in the form of `mgc.features.store.Origin`. ``remark`` says why what was
    heard holds no music. ``reasons`` says which of the wanted sources failed, and why: "" if one
    did not; it is empty if none did. ``stored_bytes`` is the size of features that the worker has
    put into their stores itself (``arrays`` is then empty); None if it has not.
    """

    reason: str = ""
    arrays: list[np.ndarray] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)
    origin: list[Any] = field(default_factory=list)
    remark: str = ""
    reasons: list[str] = field(default_factory=list)
    stored_bytes: int | None = None

    def rows(self) -> list[Rows]:
        """The features, by wanted source."""
        arrays = iter(self.arrays)
        return [[next(arrays) for _ in range(count)] for count in self.parts]

    def seconds(self) -> float:
        """How many seconds of the file its features were made from."""
        return float(self.arrays[-1][0])


class Work:
    """A task with its sources, in this process; ``run`` runs an extractor (default: `apply`)."""

    def __init__(
        self, sources: Sequence[ExtractorSpec], task: Task, run: Run | None = None
    ) -> None:
        self.sources = sources
        self.task = task
        self.run = run

    def __call__(self, path: Path, wanted: Sequence[int]) -> TaskResult:
        """Process one file. Anything that goes wrong is in the answer."""
        sources = [self.sources[number] for number in wanted]
        task = self._waves if self.task == "waves" else self._features
        try:
            with decoders.noting() as hearing:
                made = task(path, sources)
            origin = [HEARING_REVISION, hearing.pyav, round(hearing.seconds, 3)]
            return replace(made, origin=origin, remark=hearing.remark)
        except MgcError as error:
            return TaskResult(reason_of(error))
        except Exception as error:  # a decoder or an extractor may raise anything
            return TaskResult(f"{path}: cannot be used ({in_words(error)}).")

    def _features(self, path: Path, sources: Sequence[ExtractorSpec]) -> TaskResult:
        made = made_of(path, sources, self.run)
        return features_result(made.rows, made.seconds, reasons=made.reasons)

    def _waves(self, path: Path, sources: Sequence[ExtractorSpec]) -> TaskResult:
        arrays, parts = [], []
        for policy, same in by_policy(sources).items():
            rates = sorted({sources[number].info.sample_rate for number in same})
            for waves in heard(path, policy, rates):
                for rate, wave in waves.items():
                    arrays.append(wave)
                    parts.append([policy.seconds, policy.per_track, rate])
        return TaskResult("", arrays, parts)


def in_processes(
    sources: Sequence[ExtractorSpec], task: Task, count: int, jobs: Iterator[ExtractionJob]
) -> Iterator[tuple[ExtractionJob, TaskResult]]:
    """Each job with its result, in the order of the jobs, by this many worker processes."""
    settings = {"sources": described(sources, "cpu"), "task": task}
    pool: Pool[ExtractionJob] = Pool(WORKER, settings, count)
    stopping = Event()
    requests = (
        (job, {"path": str(job.path), "wanted": job.wanted} if job.wanted else None) for job in jobs
    )
    for job, made in prefetched(pool.run(requests, stopping), READY, stopping):
        if isinstance(made, Lost):
            names = " + ".join(sources[number].name for number in job.wanted)
            doing = f"made {names} of" if task == "features" else "decoded"
            reason = made.reason(f"{doing} {job.path.name}")
            yield job, TaskResult(f"{job.path}: {reason}.")
        else:
            yield job, TaskResult(**made) if made else TaskResult(job.problem)


def heard_by(source: ExtractorSpec) -> list[float]:
    """Which clips a source hears: their length in seconds, how many per track, their rate."""
    return [source.policy.seconds, source.policy.per_track, source.info.sample_rate]


def features_result(
    made: Sequence[Rows], seconds: float, origin: Sequence[Any] = (), reasons: Sequence[str] = ()
) -> TaskResult:
    """The answer that holds the features of every wanted source."""
    arrays = [*(row for rows in made for row in rows), np.array([seconds])]
    counts = [len(rows) for rows in made]
    failed = list(reasons) if any(reasons) else []
    return TaskResult("", arrays, counts, list(origin), reasons=failed)


def one_thread() -> AbstractContextManager[Any]:
    """Use one thread for numpy's products: other numbers may round differently, and cores are for
    files. (`clip_features` does the same for torch.)"""
    limited: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return limited


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def on_cores(
    sources: Sequence[ExtractorSpec], task: Task, count: int, jobs: Iterator[ExtractionJob]
) -> Iterator[tuple[ExtractionJob, TaskResult]]:
    """Each job with its result: by this many processes, or by this one if that is 0."""
    if count:
        yield from in_processes(sources, task, count, jobs)
        return
    work = Work(sources, task)
    with one_thread():
        for job in jobs:
            yield job, work(job.path, job.wanted) if job.wanted else TaskResult(job.problem)
