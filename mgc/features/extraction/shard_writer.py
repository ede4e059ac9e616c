"""Puts the features of files, in their order, into shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mgc.errors import MgcError
from mgc.features import file_hashes
from mgc.features.extraction.jobs import ExtractionJob
from mgc.features.extraction.one_file import Rows
from mgc.features.extraction.tasks import TaskResult, on_cores
from mgc.features.extractor_spec import ExtractorSpec
from mgc.features.file_hashes import Stamp
from mgc.features.store import Origin
from mgc.progress import Progress, Silent

#: Files after which a shard may end: few enough to lose little when killed.
SHARD_TRACKS = 32


class ShardWriter:
    """Collects features and writes each shard when it is whole."""

    def __init__(
        self, sources: Sequence[ExtractorSpec], progress: Progress, can_remember: bool = True
    ) -> None:
        self.sources, self.progress, self.can_remember = sources, progress, can_remember
        self.rows: list[dict[str, Rows]] = [{} for _ in sources]
        self.origins: list[dict[str, Origin]] = [{} for _ in sources]
        self.same: list[dict[str, str]] = [{} for _ in sources]
        self.bytes, self.block = [0 for _ in sources], 0
        self.hashes: dict[Path, tuple[Stamp, str]] = {}
        # Audio hash → the first such file and what failed, for files with the same content.
        self.failed: dict[str, tuple[Path, dict[str, str]]] = {}
        self.again = Counter[str]()
        self.adopted = 0

    def failures(self, job: ExtractionJob, answer: TaskResult) -> dict[str, str]:
        """Fingerprint of an extractor (or "": all) → why it has no features of this file."""
        first, before = self.failed.get(job.audio_hash, (job.path, {}))
        failed = {who: why.replace(str(first), str(job.path)) for who, why in before.items()}
        for number, reason in zip(job.wanted, answer.reasons, strict=False):
            if reason:
                failed[self.sources[number].store.fingerprint] = reason
        if answer.reason:
            failed = {"": answer.reason}
        elif "" not in failed and job.wanted and _has_changed(job):
            failed = {"": f"{job.path}: changed while it was being read."}
        if failed:
            self.failed[job.audio_hash] = job.path, failed
        return failed

    def add(self, job: ExtractionJob, answer: TaskResult) -> None:
        """Take the features of the next file, for the sources that wanted them."""
        if job.number // SHARD_TRACKS != self.block:
            self._end_block()
            self.block = job.number // SHARD_TRACKS
        self.hashes[job.path] = (job.stamp, job.audio_hash)
        self.again.update([job.again] if job.again else [])
        self.adopted += bool(job.same)
        if answer.stored_bytes is not None:
            return
        for number, origin in job.right.items():
            self.origins[number][job.audio_hash] = origin
        for number, before in job.same.items():
            self.same[number][job.audio_hash] = before
        for number, rows in zip(job.wanted, answer.rows(), strict=True):
            if not rows:
                continue  # this extractor failed
            self.rows[number][job.audio_hash] = rows
            self.origins[number][job.audio_hash] = Origin(*answer.origin)
            self.bytes[number] += sum(row.nbytes for row in rows)
            if self.bytes[number] > self._limits(number)[1]:
                self._write(number)

    def finish(self) -> None:
        """Write what is left."""
        self._end_block()
        for number in range(len(self.sources)):
            self._write(number)

    def _limits(self, number: int) -> tuple[int, int]:
        return self.sources[number].store.place.shard_bytes

    def _end_block(self) -> None:
        """Write the shards that may end here: the same in every run."""
        for number, size in enumerate(self.bytes):
            if size >= self._limits(number)[0]:
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


def _has_changed(job: ExtractionJob) -> bool:
    now = file_hashes.stamp(job.path)
    return now is not None and now[:2] != job.stamp[:2]


def stored(jobs: Sequence[ExtractionJob], sources: Sequence[ExtractorSpec]) -> list[TaskResult]:
    """Put the features of one shard's files into the stores, from the machine that makes them.

    The answers, in order, hold no arrays. The process that asked accounts for the files.
    """
    keeping, answers = ShardWriter(sources, Silent(), can_remember=False), []
    keeping.block = jobs[0].number // SHARD_TRACKS
    for job, answer in on_cores(sources, "features", 0, iter(jobs)):
        if "" not in keeping.failures(job, answer):
            keeping.add(job, answer)
        size = sum(array.nbytes for array in answer.arrays)
        answers.append(replace(answer, arrays=[], stored_bytes=size))
    keeping.finish()
    return answers
