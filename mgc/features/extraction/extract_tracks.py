"""An extraction run: puts the workers' results into shards in the order of the files."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mgc.audio.given import Audio
from mgc.errors import MgcError, UsageError, counted
from mgc.features import file_hashes
from mgc.features.extraction.forecast import Forecast
from mgc.features.extraction.gpu import on_device
from mgc.features.extraction.jobs import ExtractionJob, ExtractionPlan
from mgc.features.extraction.one_file import Heard, Rows
from mgc.features.extraction.tasks import Task, TaskResult, Work, in_processes, one_thread
from mgc.features.extraction.worker_count import workers_for
from mgc.features.extractor_spec import ExtractorSpec
from mgc.features.file_hashes import Stamp
from mgc.features.store import Origin
from mgc.progress import Progress, Silent

#: Files per shard: small enough to lose little when killed, large enough to read fast.
SHARD_TRACKS = 32
#: A shard larger than this is closed early, so that memory stays bounded for large features.
SHARD_BYTES = 64 << 20


@dataclass(frozen=True)
class Failure:
    """A file that could not be used, and why.

    ``fingerprint`` is that of the extractor that failed on it, "" if the file is unusable for all.
    """

    path: Path
    reason: str
    fingerprint: str = ""


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
        workers: processes; None means one per core if that pays off, 1 means this process (which
            leaves extractors of other packages to a process of their own).
        on: ``ray`` or ``ray://HOST:PORT`` to use a Ray cluster instead of this machine.

    Raises:
        MgcError: the run cannot continue (a disk that is full or too small, no cluster). An
            unusable file is not an error: it is listed in the result with its reason.
    """
    sources = list({source.store.fingerprint: source for source in sources}.values())
    progress = progress or Silent()
    for source in sources:
        for problem in source.store.mended():
            progress.say(f"{problem} It was removed; its tracks are extracted again.")
    plan = ExtractionPlan(paths, sources)
    result = Extraction(found=len(paths) - plan.waiting, hashes=dict(plan.there))
    if not plan.waiting:
        return result
    chosen = _where(sources, plan.waiting, workers, on, isolated=True)
    names = " + ".join(source.name for source in sources)
    keeping = _Keeping(sources, progress)
    forecast = Forecast(plan.waiting, progress)
    with progress.task(f"extracting {names}", plan.waiting, "tracks") as task:
        for job, answer in chosen(plan.jobs()):
            _note(result, keeping, job, answer)
            task.advance()
            forecast.add(sum(array.nbytes for array in answer.arrays))
    keeping.close_shard()
    if keeping.adopted:
        progress.say(
            f"Features of {counted(keeping.adopted, 'track')} of an earlier version found again."
        )
    for why, count in sorted(keeping.again.items()):
        tracks = "1 track was" if count == 1 else f"{count:,} tracks were"
        progress.say(f"{tracks} {why} and extracted again.")
    return result


def features_of_each(
    paths: Sequence[Audio], sources: Sequence[ExtractorSpec], *, workers: int | None = None
) -> Iterator[tuple[Audio, list[Rows] | Failure, Heard]]:
    """Yield the features of one file after another, in order, without a store.

    Args:
        paths: the audio files; audio in memory, with one worker.
        sources: the extractors; the features come in their order, one list of clips per extractor.
        workers: as for `extract`.

    Yields:
        A path, its features or the failure that explains why it could not be used, and what was
        heard.
    """
    everything = tuple(range(len(sources)))
    jobs = (ExtractionJob(number, path, wanted=everything) for number, path in enumerate(paths))
    chosen = _where(sources, len(paths), workers, None, isolated=workers != 1)
    for job, answer in chosen(jobs):
        if reason := answer.reason or next(filter(None, answer.reasons), ""):
            yield job.path, Failure(job.path, reason), Heard()
        else:
            yield job.path, answer.rows(), Heard(answer.seconds(), answer.remark)


Workplace = Callable[[Iterator[ExtractionJob]], Iterator[tuple[ExtractionJob, TaskResult]]]


def _where(
    sources: Sequence[ExtractorSpec],
    waiting: int,
    workers: int | None,
    on: str | None,
    *,
    isolated: bool,
) -> Workplace:
    """Choose where the work is done: on a cluster, in worker processes, or in this process.

    ``isolated`` keeps the code of packages other than mgc's out of this process.
    """
    if on is not None:
        if on.partition(":")[0] != "ray":
            raise UsageError(
                f"Extraction cannot run on {on!r}.", "For example: --on ray://HOST:10001"
            )
        from mgc.features.extraction.ray_cluster import Cluster

        cluster: Workplace = Cluster(sources, on, SHARD_TRACKS).run
        return cluster
    count = workers_for(waiting, sources, workers)
    if any(source.device != "cpu" for source in sources):
        return lambda jobs: on_device(
            sources, _on_cores(sources, "waves", count, jobs), SHARD_TRACKS
        )
    if isolated and sys.executable and not all(source.is_built_in for source in sources):
        count = max(count, 1)
    return lambda jobs: _on_cores(sources, "features", count, jobs)


def _on_cores(
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


def _note(result: Extraction, keeping: _Keeping, job: ExtractionJob, answer: TaskResult) -> None:
    """Account for one file: failed, made now, or already stored (from it or an identical file)."""
    if job.audio_hash:
        result.hashes[job.path] = job.audio_hash
    failed = keeping.failures(job, answer)
    result.failures += [Failure(job.path, reason, whose) for whose, reason in failed.items()]
    if "" in failed:
        return
    if job.wanted:
        result.made += any(map(len, answer.rows()))
    else:
        result.found += 1
    keeping.add(job, answer)


def _has_changed(job: ExtractionJob) -> bool:
    now = file_hashes.stamp(job.path)
    return now is not None and now[:2] != job.stamp[:2]


class _Keeping:
    """Collects the features of files in order and writes them as shards."""

    def __init__(self, sources: Sequence[ExtractorSpec], progress: Progress) -> None:
        self.sources, self.progress = sources, progress
        self.rows: list[dict[str, Rows]] = [{} for _ in sources]
        self.origins: list[dict[str, Origin]] = [{} for _ in sources]
        self.same: list[dict[str, str]] = [{} for _ in sources]
        self.bytes = [0 for _ in sources]
        self.shard = 0
        self.hashes: dict[Path, tuple[Stamp, str]] = {}
        # Audio hash → what failed, for files with the same content.
        self.failed: dict[str, dict[str, str]] = {}
        self.again = Counter[str]()
        self.adopted = 0
        self.can_remember = True

    def failures(self, job: ExtractionJob, answer: TaskResult) -> dict[str, str]:
        """Fingerprint of an extractor (or "": all) → why it has no features of this file."""
        failed = dict(self.failed.get(job.audio_hash, {}))
        for number, reason in zip(job.wanted, answer.reasons, strict=False):
            if reason:
                failed[self.sources[number].store.fingerprint] = reason
        if answer.reason:
            failed = {"": answer.reason}
        elif "" not in failed and job.wanted and _has_changed(job):
            failed = {"": f"{job.path}: changed while it was being read."}
        if failed:
            self.failed[job.audio_hash] = failed
        return failed

    def add(self, job: ExtractionJob, answer: TaskResult) -> None:
        """Take the features of the next file, for the sources that wanted them."""
        if job.number // SHARD_TRACKS != self.shard:
            self.close_shard()
            self.shard = job.number // SHARD_TRACKS
        self.hashes[job.path] = (job.stamp, job.audio_hash)
        self.again.update([job.again] if job.again else [])
        for number, origin in job.right.items():
            self.origins[number][job.audio_hash] = origin
        for number, before in job.same.items():
            self.same[number][job.audio_hash] = before
        self.adopted += bool(job.same)
        for number, rows in zip(job.wanted, answer.rows(), strict=True):
            if not rows:
                continue  # this extractor failed
            self.rows[number][job.audio_hash] = rows
            self.origins[number][job.audio_hash] = Origin(*answer.origin)
            self.bytes[number] += sum(row.nbytes for row in rows)
            if self.bytes[number] > SHARD_BYTES:
                self._write(number)

    def close_shard(self) -> None:
        """Write the rest of the shard."""
        for number in range(len(self.sources)):
            self._write(number)
        if self.can_remember and (trouble := file_hashes.remember(self.hashes)):
            self._cannot_remember(trouble)
        self.hashes = {}

    def _write(self, number: int) -> None:
        rows, origins, same = self.rows[number], self.origins[number], self.same[number]
        self.rows[number], self.origins[number], self.same[number] = {}, {}, {}
        self.bytes[number] = 0
        try:
            if origins or same:
                self.sources[number].store.write_shard(rows, origins, same)
        except MgcError as error:
            if rows:
                raise
            self._cannot_remember(error.message)

    def _cannot_remember(self, trouble: str) -> None:
        """Say once that what only saves time next time is not kept."""
        if self.can_remember:
            self.progress.say(f"The next run will look at all files again: {trouble}")
        self.can_remember = False
