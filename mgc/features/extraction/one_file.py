"""One audio file → its features, ready to store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from mgc.audio import decoders, decoding
from mgc.audio.clip_policy import ClipPolicy, checked_length, too_short
from mgc.audio.clips import Clips, as_numpy
from mgc.audio.given import Audio
from mgc.audio.no_music import no_music
from mgc.errors import AudioError, MgcError, in_words
from mgc.features.extractor_spec import ExtractorSpec

FLOAT16_LARGEST = float(np.finfo(np.float16).max)


class Heard(NamedTuple):
    """What was heard of a file: how many seconds, why they hold no music ("" if they do), and the
    length of all of it in seconds, 0 if it is not known."""

    seconds: float = 0.0
    remark: str = ""
    length: float = 0.0


#: The clips of one file for one extractor: one array per clip.
Rows = list[np.ndarray]

#: Runs an extractor on some clips of a file, as `apply` does.
Run = Callable[[ExtractorSpec, Clips, Audio], Rows]

DIMENSIONS = {"sequence": 2, "vector": 1, "layers": 2}  # of one clip's feature


class Made(NamedTuple):
    """The features of one file: rows and, if it failed, the reason of each source; the seconds
    heard (if sources hear different clips, the most)."""

    rows: list[Rows]
    reasons: list[str]
    seconds: float


def features_of(path: Audio, sources: Sequence[ExtractorSpec]) -> dict[str, Rows]:
    """Each source's features of one file: a list with one array per clip.

    Raises AudioError if the file cannot be used.
    """
    made, _ = rows_and_seconds(path, sources)
    return {source.name: rows for source, rows in zip(sources, made, strict=True)}


def rows_and_seconds(path: Audio, sources: Sequence[ExtractorSpec]) -> tuple[list[Rows], float]:
    """The features of one file for each source, in the order of the sources, and how many seconds
    were heard; one decode for all.

    Raises AudioError if the file cannot be used.
    """
    made = made_of(path, sources)
    for reason in filter(None, made.reasons):
        raise AudioError(reason)
    return made.rows, made.seconds


def made_of(path: Audio, sources: Sequence[ExtractorSpec], run: Run | None = None) -> Made:
    """The features of one file for each source; one that fails does not affect the others.

    ``run`` defaults to `apply`. Raises AudioError if the file cannot be used.
    """
    run = run or apply
    made: list[Rows] = [[] for _ in sources]
    reasons = [""] * len(sources)
    seconds = [0.0]
    for policy, same in by_policy(sources).items():
        rates = {sources[number].info.sample_rate for number in same}
        seconds.append(0.0)
        for waves in heard(path, policy, sorted(rates)):
            seconds[-1] += max(len(wave) / rate for rate, wave in waves.items())
            clips = {rate: Clips(wave[None], rate) for rate, wave in waves.items()}
            for number in same:
                source = sources[number]
                try:
                    if not reasons[number]:
                        made[number] += run(source, clips[source.info.sample_rate], path)
                except MgcError as error:
                    made[number], reasons[number] = [], reason_of(error)
    return Made(made, reasons, max(seconds))


def reason_of(error: MgcError) -> str:
    """Why a file has no features, in one line."""
    return error.reason if isinstance(error, AudioError) else error.message


def by_policy(sources: Sequence[ExtractorSpec]) -> dict[ClipPolicy, list[int]]:
    """The numbers of the sources that hear the same clips."""
    groups: dict[ClipPolicy, list[int]] = {}
    for number, source in enumerate(sources):
        groups.setdefault(source.policy, []).append(number)
    return groups


def heard(path: Audio, policy: ClipPolicy, rates: Sequence[int]) -> Iterator[dict[int, np.ndarray]]:
    """The clips of a file, each as mono samples at every rate: rate → (sample,) float32.

    Only what is heard is decoded. Raises AudioError if the file cannot be used.
    """

    def starts(length: float) -> list[float]:
        decoders.noted().seconds = length
        return policy.starts(length)

    waves, native = decoding.excerpts(path, starts, policy.seconds)
    checked_length(path, len(waves[0]), native)
    long_enough = [wave for wave in waves if not too_short(len(wave), native)]
    decoders.noted().remark = no_music(path, long_enough, native)
    for wave in long_enough:
        yield {rate: decoding.resample(wave, native, rate) for rate in rates}


def clip_arrays(audio: Audio, source: ExtractorSpec) -> np.ndarray:
    """One source's features of all clips in one array, float32 (clip, …).

    A sequence is NaN beyond the end of a clip that is shorter than the others. Raises AudioError
    if the audio cannot be used.
    """
    rate = source.info.sample_rate
    made = []
    for waves in heard(audio, source.policy, [rate]):
        made += clip_features(source, Clips(waves[rate][None], rate), audio)
    if source.kind == "sequence":
        longest = max(row.shape[1] for row in made)
        room = [((0, 0), (0, longest - row.shape[1])) for row in made]
        made = [np.pad(row, r, constant_values=np.nan) for row, r in zip(made, room, strict=True)]
    return np.stack(made)


def apply(source: ExtractorSpec, clips: Clips, path: Audio) -> Rows:
    """`clip_features` in stored form: sequences as float16 or pooled, the rest as float32."""
    rows = [_storable(source, row) for row in clip_features(source, clips, path)]
    if source.poolings:
        return [np.stack([pooling(row) for pooling in source.poolings]) for row in rows]
    return rows


def clip_features(source: ExtractorSpec, clips: Clips, path: Audio) -> list[np.ndarray]:
    """Run one extractor on some clips of a file: float32 per clip, padding cut off, checked.

    Raises AudioError if the extractor fails, or if its values are not finite or have not the shape
    of its kind.
    """
    if not source.is_built_in:
        clips = clips.copy()  # the others' clips and spectra stay as they are
    lengths = list(clips.sample_counts)
    try:
        extractor = source.extractor
        with _torch_modes(source.device), np.errstate(over="ignore"):
            output = np.asarray(as_numpy(extractor(clips)), np.float32)
        counts = [source.frame_count(n) if source.kind == "sequence" else 1 for n in lengths]
    except (MgcError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit too: a plug-in may do anything
        raise AudioError(
            f"{path}: extractor {source.name!r} failed ({in_words(error)})."
        ) from error
    if (
        output.ndim != 1 + DIMENSIONS[source.kind]
        or len(output) != len(lengths)
        or output.shape[-1] < max(counts)
    ):
        raise AudioError(
            f"{path}: extractor {source.name!r} returned an array of shape {output.shape} "
            f"as {source.kind} of {len(lengths)} clips."
        )
    rows = list(output)
    if source.kind == "sequence":
        rows = [row[:, :count] for row, count in zip(rows, counts, strict=True)]
    for row in rows:
        if not row.size or not np.isfinite(_reach(row)):
            raise AudioError(
                f"{path}: extractor {source.name!r} returned values that are not finite."
            )
    return rows


@contextmanager
def _torch_modes(device: str) -> Iterator[None]:
    """Inference mode, and one thread on the CPU, for an extractor that has loaded torch."""
    if "torch" not in sys.modules:
        yield
        return
    import torch

    before = torch.get_num_threads()
    try:
        if device == "cpu":
            torch.set_num_threads(1)
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


def _storable(source: ExtractorSpec, row: np.ndarray) -> np.ndarray:
    if source.kind == "sequence" and _reach(row) < FLOAT16_LARGEST:
        row = row.astype(np.float16)
    return np.ascontiguousarray(row)


def _reach(row: np.ndarray) -> float:
    """The largest magnitude, infinite or NaN if a value is."""
    return max(-float(row.min()), float(row.max()))
