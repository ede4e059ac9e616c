"""What a worker does with one file, and how it reports it: as a record and arrays.

It is the same on a core of this machine (`mgc.audio.processes`) and of a cluster
(`mgc.features.extraction.ray_cluster`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any, Literal

import numpy as np
import torch

from mgc.audio import decoders
from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.processes.pool import Lost, Pool
from mgc.audio.sound_length import HEARING_REVISION
from mgc.errors import AudioError, MgcError
from mgc.features.extraction.jobs import ExtractionJob
from mgc.features.extraction.one_file import Rows, by_policy, heard, rows_and_seconds
from mgc.features.extraction.prefetch import prefetched
from mgc.features.extractor_spec import ExtractorSpec

#: Files whose features may wait for their shard, so that workers continue while one is synced.
READY = 8

#: ``features`` decodes and extracts; ``waves`` only decodes, for an extractor on a GPU.
Task = Literal["features", "waves"]


@dataclass(frozen=True)
class TaskResult:
    """The result for one file: why it failed, or its arrays and what they are.

    For ``features``, the arrays are the clips of every wanted source in turn, and ``parts`` counts
    them: [3, 3]; a last array holds the seconds that were heard. For ``waves``, they are
    waveforms, and ``parts`` says what each is for, in the form of `heard_by`. ``origin`` says how
    the file was heard, in the form of `mgc.features.store.Origin`. ``remark`` says why what was
    heard holds no music.
    """

    reason: str = ""
    arrays: list[np.ndarray] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)
    origin: list[Any] = field(default_factory=list)
    remark: str = ""

    def rows(self) -> list[Rows]:
        """The features, by wanted source."""
        arrays = iter(self.arrays)
        return [[next(arrays) for _ in range(count)] for count in self.parts]

    def seconds(self) -> float:
        """How many seconds of the file its features were made from."""
        return float(self.arrays[-1][0])


class Work:
    """A task with its sources, in this process."""

    def __init__(self, sources: Sequence[ExtractorSpec], task: Task) -> None:
        self.sources = sources
        self.task = task

    def __call__(self, path: Path, wanted: Sequence[int]) -> TaskResult:
        """Process one file. Anything that goes wrong is in the answer."""
        sources = [self.sources[number] for number in wanted]
        task = self._waves if self.task == "waves" else _features
        try:
            with decoders.noting() as hearing:
                made = task(path, sources)
            origin = [HEARING_REVISION, hearing.pyav, round(hearing.seconds, 3)]
            return replace(made, origin=origin, remark=hearing.remark)
        except AudioError as error:
            return TaskResult(error.reason)
        except MgcError as error:
            return TaskResult(error.message)
        except Exception as error:  # a decoder or an extractor may raise anything
            return TaskResult(f"{path}: cannot be used ({type(error).__name__}: {error}).")

    def _waves(self, path: Path, sources: Sequence[ExtractorSpec]) -> TaskResult:
        arrays, parts = [], []
        for policy, same in by_policy(sources).items():
            rates = sorted({sources[number].info.sample_rate for number in same})
            for waves in heard(path, policy, rates):
                for rate, wave in waves.items():
                    arrays.append(wave)
                    parts.append([policy.seconds, policy.per_track, rate])
        return TaskResult("", arrays, parts)


def answering(sources: Sequence[Mapping[str, Any]], task: Task) -> Callable[[Any], dict[str, Any]]:
    """Set up a worker process: sources as `described` → the function that answers requests."""
    torch.set_num_threads(1)
    work = Work(built(sources), task)
    return lambda request: vars(work(Path(request["path"]), request["wanted"]))


def in_processes(
    sources: Sequence[ExtractorSpec], task: Task, count: int, jobs: Iterator[ExtractionJob]
) -> Iterator[tuple[ExtractionJob, TaskResult]]:
    """Each job with its result, in the order of the jobs, by this many worker processes."""
    settings = {"sources": described(sources, "cpu"), "task": task}
    pool: Pool[ExtractionJob] = Pool(f"{__name__}:answering", settings, count)
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


def _features(path: Path, sources: Sequence[ExtractorSpec]) -> TaskResult:
    return features_result(*rows_and_seconds(path, sources))


def features_result(made: Sequence[Rows], seconds: float, origin: Sequence[Any] = ()) -> TaskResult:
    """The answer that holds the features of every wanted source."""
    arrays = [row for rows in made for row in rows]
    counts = [len(rows) for rows in made]
    return TaskResult("", [*arrays, np.array([seconds])], counts, list(origin))


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one torch thread: other numbers may round differently, and cores are for files."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def described(sources: Sequence[ExtractorSpec], device: str) -> list[dict[str, Any]]:
    """Sources as plain values, to rebuild them in another process."""
    return [
        {
            "name": source.name,
            "settings": dict(source.settings),
            "policy": [source.policy.seconds, source.policy.per_track],
            "device": device,
            "fingerprint": source.store.fingerprint,
        }
        for source in sources
    ]


def built(records: Sequence[Mapping[str, Any]]) -> list[ExtractorSpec]:
    """The sources of `described`.

    Raises MgcError if the numbers would differ here: another version of a plug-in or decoder.
    """
    sources = []
    for record in records:
        policy = ClipPolicy(*record["policy"])
        source = ExtractorSpec(record["name"], record["settings"], policy, record["device"])
        if source.store.fingerprint != record["fingerprint"]:
            raise MgcError(
                f"A worker would make different {source.name!r} features from those requested: "
                f"it has {source.identity()}.",
                "Install the same versions of mgc, its plug-ins and soundfile everywhere.",
            )
        sources.append(source)
    return sources
