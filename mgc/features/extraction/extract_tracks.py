"""An extraction run: puts the workers' results into shards in the order of the files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mgc.audio.given import Audio
from mgc.audio.processes.locks import claimed
from mgc.errors import MgcError, UsageError, counted
from mgc.features.extraction import shard_writer
from mgc.features.extraction.forecast import Forecast
from mgc.features.extraction.gpu import on_device
from mgc.features.extraction.jobs import ExtractionJob, ExtractionPlan
from mgc.features.extraction.one_file import Heard, Rows
from mgc.features.extraction.shard_writer import ShardWriter
from mgc.features.extraction.tasks import TaskResult, on_cores
from mgc.features.extraction.worker_count import workers_for
from mgc.features.extractor_spec import ExtractorSpec
from mgc.progress import Progress, Silent


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

    A shard holds `SHARD_TRACKS` consecutive files in the given order (on an object store, as many
    files as make `StoreBackend.shard_bytes`), all or nothing: a killed run continues where it
    stopped and ends with the same bytes as an uninterrupted one, whatever the number of workers.

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
    with alone(paths, sources, progress) if plan.waiting else nullcontext(False) as others:
        return _made(ExtractionPlan(paths, sources) if others else plan, progress, workers, on)


@contextmanager
def alone(
    paths: Sequence[Path], sources: Sequence[ExtractorSpec], progress: Progress
) -> Iterator[bool]:
    """Wait until no other process of this home is making these features of these files, which are
    told by the first one; tells whether one did. Without locks, work is done twice at worst."""
    textures = {source.texture.store.fingerprint for source in sources}  # fast, so not waited for
    stores = {source.store.fingerprint: source.store for source in sources}
    others = False
    with ExitStack() as held:
        for key in sorted(stores.keys() - textures or stores):
            what = f"{stores[key].name} features of these files"
            with suppress(MgcError):
                others |= held.enter_context(claimed(what, f"{key} {paths[0]}", wait=progress))
        for store in stores.values() if others else ():
            store.refresh()
        yield others


def _made(
    plan: ExtractionPlan, progress: Progress, workers: int | None, on: str | None
) -> Extraction:
    """Do what is planned; see `extract`."""
    sources = plan.sources
    result = Extraction(found=len(plan.paths) - plan.waiting, hashes=dict(plan.there))
    if not plan.waiting:
        return result
    for source in sources:
        source.store.begin()  # the first shard comes later: say now if it cannot be written
    if on is None:
        chosen = _where(sources, plan.waiting, workers, isolated=True)
    else:
        chosen = _on_cluster(plan, on)
    names = " + ".join(source.name for source in sources)
    keeping = ShardWriter(sources, progress)
    forecast = Forecast(plan.waiting, progress)
    with progress.task(f"extracting {names}", plan.waiting, "tracks") as task:
        for job, answer in chosen(plan.jobs()):
            _note(result, keeping, job, answer)
            task.advance()
            forecast.add(answer.stored_bytes or sum(array.nbytes for array in answer.arrays))
    keeping.finish()
    for source in sources if on is not None else ():
        source.store.refresh()  # nodes have written there
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
    chosen = _where(sources, len(paths), workers, isolated=workers != 1)
    for job, answer in chosen(jobs):
        if reason := answer.reason or next(filter(None, answer.reasons), ""):
            yield job.path, Failure(job.path, reason), Heard()
        else:
            yield job.path, answer.rows(), Heard(answer.seconds(), answer.remark, answer.origin[2])


Workplace = Callable[[Iterator[ExtractionJob]], Iterator[tuple[ExtractionJob, TaskResult]]]


def _on_cluster(plan: ExtractionPlan, on: str) -> Workplace:
    if on.partition(":")[0] != "ray":
        example = "For example: --on ray://HOST:10001"
        raise UsageError(f"Extraction cannot run on {on!r}.", example)
    from mgc.features.extraction.ray_cluster import Cluster

    cluster = Cluster(plan.sources, on, shard_writer.SHARD_TRACKS, plan.waiting)
    plan.elsewhere = cluster.hashed
    return cluster.run


def _where(
    sources: Sequence[ExtractorSpec], waiting: int, workers: int | None, *, isolated: bool
) -> Workplace:
    """Choose where the work is done: in worker processes, or in this process.

    ``isolated`` keeps the code of packages other than mgc's out of this process.
    """
    count = workers_for(waiting, sources, workers)
    if any(source.device != "cpu" for source in sources):
        return lambda jobs: on_device(
            sources, on_cores(sources, "waves", count, jobs), shard_writer.SHARD_TRACKS
        )
    if isolated and sys.executable and not all(source.is_built_in for source in sources):
        count = max(count, 1)
    return lambda jobs: on_cores(sources, "features", count, jobs)


def _note(result: Extraction, keeping: ShardWriter, job: ExtractionJob, answer: TaskResult) -> None:
    """Account for one file: failed, made now, or already stored (from it or an identical file)."""
    if job.audio_hash:
        result.hashes[job.path] = job.audio_hash
    failed = keeping.failures(job, answer)
    result.failures += [Failure(job.path, reason, whose) for whose, reason in failed.items()]
    if "" in failed:
        return
    if job.wanted:
        result.made += any(answer.parts)
    else:
        result.found += 1
    keeping.add(job, answer)
