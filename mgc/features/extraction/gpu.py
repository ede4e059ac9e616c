"""Features on a GPU: this process feeds it the decoded audio from the workers, in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from mgc.audio.clips import Clips, as_tensor
from mgc.errors import MgcError
from mgc.features.extraction.jobs import ExtractionJob
from mgc.features.extraction.one_file import Rows, apply, reason_of
from mgc.features.extraction.tasks import TaskResult, features_result, heard_by
from mgc.features.extractor_spec import ExtractorSpec

BATCH_SAMPLES = 16 * 30 * 22_050  # 16 clips of 30 s; 42 MB of waveforms at one rate

Result = tuple[ExtractionJob, TaskResult]


def on_device(
    sources: Sequence[ExtractorSpec], decoded: Iterable[Result], shard_tracks: int
) -> Iterator[Result]:
    """Waveforms → features, in the same order.

    A batch holds consecutive files of one shard, so that it is the same in every run.
    """
    batch: list[Result] = []
    for job, answer in decoded:
        full = sum(wave.size for _, held in batch for wave in held.arrays) >= BATCH_SAMPLES
        if batch and (full or batch[-1][0].number // shard_tracks != job.number // shard_tracks):
            yield from extracted(sources, batch)
            batch = []
        batch.append((job, answer))
    yield from extracted(sources, batch)


def extracted(sources: Sequence[ExtractorSpec], batch: Sequence[Result]) -> list[Result]:
    """The features of a batch. A file that fails does not affect the others."""
    with suppress(MgcError):
        return _together(sources, batch)
    return [result for one in batch for result in extracted(sources, [one])]


def _together(sources: Sequence[ExtractorSpec], batch: Sequence[Result]) -> list[Result]:
    made: list[list[Rows]] = [[[] for _ in job.wanted] for job, _ in batch]
    reasons = [[""] * len(job.wanted) for job, _ in batch]
    clips: dict[tuple[object, ...], Clips] = {}
    for number, source in enumerate(sources):
        waves, owners = _waves(source, number, batch)
        if not waves:
            continue
        key = (*heard_by(source), *owners)  # the same clips share one spectrum
        if key not in clips:
            clips[key] = padded(waves, source.info.sample_rate, source.device)
        try:
            rows = apply(source, clips[key], batch[owners[0]][0].path)
        except MgcError as error:
            if len(batch) > 1:
                raise
            reasons[0][batch[0][0].wanted.index(number)] = reason_of(error)
            continue
        for owner, row in zip(owners, rows, strict=True):
            made[owner][batch[owner][0].wanted.index(number)].append(row)
    return [
        (job, answer if answer.reason else _with_features(answer, rows, failed))
        for (job, answer), rows, failed in zip(batch, made, reasons, strict=True)
    ]


def _waves(
    source: ExtractorSpec, number: int, batch: Sequence[Result]
) -> tuple[list[np.ndarray], list[int]]:
    """The waveforms in a batch that a source wants, and which files they belong to."""
    waves, owners = [], []
    for owner, (job, answer) in enumerate(batch):
        if number not in job.wanted:
            continue
        for wave, part in zip(answer.arrays, answer.parts, strict=True):
            if part == heard_by(source):
                waves.append(wave)
                owners.append(owner)
    return waves, owners


def padded(waves: Sequence[np.ndarray], rate: int, device: str) -> Clips:
    """Clips on a device; shorter waveforms are zero at the end."""
    lengths = [len(wave) for wave in waves]
    together = np.zeros((len(waves), max(lengths)), np.float32)
    for row, wave in zip(together, waves, strict=True):
        row[: len(wave)] = wave
    return Clips(together if device == "cpu" else as_tensor(together).to(device), rate, lengths)


def _with_features(answer: TaskResult, rows: list[Rows], reasons: list[str]) -> TaskResult:
    made = features_result(rows, _seconds(answer), answer.origin, reasons)
    return replace(made, remark=answer.remark)


def _seconds(waves: TaskResult) -> float:
    """How much was heard, as `mgc.features.extraction.one_file.rows_and_seconds` counts it."""
    heard = Counter[tuple[float, ...]]()
    for wave, part in zip(waves.arrays, waves.parts, strict=True):
        heard[tuple(part)] += len(wave) / part[2]
    return max(heard.values(), default=0.0)
