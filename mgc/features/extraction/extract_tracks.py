"""An extraction run: puts the workers' results into shards in the order of the files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mgc.audio.given import Audio
from mgc.audio.processes.pool import cores
from mgc.errors import UsageError
from mgc.features import file_hashes
from mgc.features.extraction import tasks
from mgc.features.extraction.gpu import on_device
from mgc.features.extraction.jobs import ExtractionJob, ExtractionPlan
from mgc.features.extraction.one_file import Rows
from mgc.features.extraction.tasks import Outcome, TaskResult
from mgc.features.extractor_spec import ExtractorSpec
from mgc.progress import Progress, Silent

#: Files per shard: small enough to lose little when killed, large enough to read fast.
SHARD_TRACKS = 32
#: A shard larger than this is closed early, so that memory stays bounded for large features.
SHARD_BYTES = 64 << 20
#: Below this many files the work is done here: starting workers takes about as long as these
#: (2 s, for importing torch once, against 0.05 s per file).
MIN_FILES = 64
#: With a pretrained model a file takes seconds, and workers pay off sooner.
MIN_FILES_WITH_WEIGHTS = 4


@dataclass(frozen=True)
class Failure:
    """A file that could not be used, and why."""

    path: Path
    reason: str


@dataclass
class Extraction:
    """The result of an extraction: new files, files already stored, and failures by path."""

    made: int = 0
    found: int = 0
    hashes: dict[Path, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def extract(
    paths: Sequence[Path],
    sources: Sequence[ExtractorSpec],
    progress: Progress | None = None,
    *,
    workers: int | None = None,
    on: str | None = None,
) -> Extraction:
    """Fill the stores of all sources with the features of all files; stored features stay.

    A shard holds `SHARD_TRACKS` consecutive files in the given order. It is written completely
    or not at all, so that a killed run continues where it stopped. The run ends with the
    same bytes as an uninterrupted one, whatever the number of workers.

    Args:
        paths: the audio files.
        sources: the extractors; each file is decoded once for all of them.
        progress: informed about finished files.
        workers: processes; None means one per core if that pays off, 1 means this process.
        on: ``ray`` or ``ray://HOST:PORT`` to use a Ray cluster instead of this machine.

    Raises:
        MgcError: the run cannot continue (a full disk, no cluster). An unusable file is not an
            error: it is listed in the result with its reason.
    """
    sources = list({source.store.fingerprint: source for source in sources}.values())
    plan = ExtractionPlan(paths, sources)
    result = Extraction(found=len(paths) - plan.waiting, hashes=dict(plan.there))
    if not plan.waiting:
        return result
    results = _results(sources, plan.jobs(), plan.waiting, workers, on)
    names = " + ".join(source.name for source in sources)
    keeping = _Keeping(sources, result)
    with (progress or Silent()).task(f"extracting {names}", plan.waiting, "tracks") as task:
        for job, answer in results:
            keeping.take(job, answer)
            task.advance()
    keeping.close_shard()
    return result


def features_of_each(
    paths: Sequence[Audio], sources: Sequence[ExtractorSpec], *, workers: int | None = None
) -> Iterator[tuple[Audio, list[Rows] | Failure, float]]:
    """Yield the features of one file after another, in order, without a store.

    Args:
        paths: the audio files; audio in memory, with one worker.
        sources: the extractors; the features come in their order, one list of clips per extractor.
        workers: as for `extract`.

    Yields:
        A path, its features or the failure that explains why it could not be used, and how many
        seconds were heard.
    """
    everything = tuple(range(len(sources)))
    jobs = (ExtractionJob(number, path, wanted=everything) for number, path in enumerate(paths))
    for job, answer in _results(sources, jobs, len(paths), workers, None):
        if answer.reason:
            yield job.path, Failure(job.path, answer.reason), 0.0
        else:
            yield job.path, answer.rows(), answer.seconds()


def _results(
    sources: Sequence[ExtractorSpec],
    jobs: Iterator[ExtractionJob],
    waiting: int,
    workers: int | None,
    on: str | None,
) -> Iterator[Outcome]:
    """Each job with its result: from a cluster, from worker processes, or from this process."""
    if on is not None:
        if on.partition(":")[0] != "ray":
            raise UsageError(
                f"Extraction cannot run on {on!r}.", "For example: --on ray://HOST:10001"
            )
        from mgc.features.extraction.ray_cluster import Cluster

        return Cluster(sources, on, SHARD_TRACKS).run(jobs)
    count = _workers_for(waiting, sources, workers)
    if any(source.device != "cpu" for source in sources):
        return on_device(sources, _on_cores(sources, "waves", count, jobs), SHARD_TRACKS)
    return _on_cores(sources, "features", count, jobs)


def _workers_for(waiting: int, sources: Sequence[ExtractorSpec], asked: int | None) -> int:
    """The number of processes for this many files; 0 means to work in this one.

    If ``asked`` is None (or 0), one per core if that pays off. 1 means this process.
    Raises UsageError for a negative number.
    """
    if asked is not None and asked < 0:
        raise UsageError(f"{asked} workers are not possible.", "For example: --workers 4")
    if not sys.executable or asked == 1:
        return 0
    if asked:
        return min(asked, waiting)
    has_weights = any(source.identity()["weights"] is not None for source in sources)
    few = MIN_FILES_WITH_WEIGHTS if has_weights else MIN_FILES
    return min(cores(), waiting) if waiting >= few else 0


def _on_cores(
    sources: Sequence[ExtractorSpec], task: tasks.Task, count: int, jobs: Iterator[ExtractionJob]
) -> Iterator[Outcome]:
    """Each job with its result: by this many processes, or by this one if that is 0."""
    if count:
        yield from tasks.in_processes(sources, task, count, jobs)
        return
    work = tasks.Work(sources, task)
    with tasks.one_thread():
        for job in jobs:
            yield job, work(job.path, job.wanted) if job.wanted else TaskResult(job.problem)


class _Keeping:
    """Collects the features of files in order and writes them as shards."""

    def __init__(self, sources: Sequence[ExtractorSpec], result: Extraction) -> None:
        self.sources = sources
        self.result = result
        self.rows: list[dict[str, Rows]] = [{} for _ in sources]
        self.bytes = [0 for _ in sources]
        self.shard = 0
        self.hashes: dict[Path, tuple[file_hashes.Stamp, str]] = {}
        self.failed: dict[str, str] = {}  # audio hash → reason, for files with the same content

    def take(self, job: ExtractionJob, answer: TaskResult) -> None:
        """Account for one file: failed, made now, or already stored (it or an identical file)."""
        result = self.result
        if job.audio_hash:
            result.hashes[job.path] = job.audio_hash
        reason = answer.reason or self.failed.get(job.audio_hash, "")
        if not reason and job.wanted and file_hashes.stamp(job.path) not in (job.stamp, None):
            reason = f"{job.path}: changed while it was being read."
        if reason:
            result.failures.append(Failure(job.path, reason))
            self.failed[job.audio_hash] = reason
        elif job.wanted:
            result.made += 1
            self._add(job, answer.rows())
        else:
            result.found += 1
            self.hashes[job.path] = (job.stamp, job.audio_hash)

    def _add(self, job: ExtractionJob, made: Sequence[Rows]) -> None:
        """Take the features of the next file, for the sources that wanted them."""
        if job.number // SHARD_TRACKS != self.shard:
            self.close_shard()
            self.shard = job.number // SHARD_TRACKS
        self.hashes[job.path] = (job.stamp, job.audio_hash)
        for number, rows in zip(job.wanted, made, strict=True):
            self.rows[number][job.audio_hash] = rows
            self.bytes[number] += sum(row.nbytes for row in rows)
            if self.bytes[number] > SHARD_BYTES:
                self._write(number)

    def close_shard(self) -> None:
        """Write the rest of the shard."""
        for number in range(len(self.sources)):
            self._write(number)
        file_hashes.remember(self.hashes)
        self.hashes = {}

    def _write(self, number: int) -> None:
        if self.rows[number]:
            self.sources[number].store.write_shard(self.rows[number])
        self.rows[number], self.bytes[number] = {}, 0
