"""One audio file → its features, ready to store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from mgc.audio import decoders, decoding
from mgc.audio.clip_policy import MIN_SECONDS, ClipPolicy
from mgc.audio.clips import Clips
from mgc.audio.given import Audio
from mgc.audio.no_music import no_music
from mgc.errors import AudioError, MgcError
from mgc.features.extractor_spec import ExtractorSpec

FLOAT16_LARGEST = float(np.finfo(np.float16).max)


class Heard(NamedTuple):
    """What was heard of a file: how many seconds, and why they hold no music ("" if they do)."""

    seconds: float = 0.0
    remark: str = ""


#: The clips of one file for one extractor: one array per clip.
Rows = list[np.ndarray]


def features_of(path: Audio, sources: Sequence[ExtractorSpec]) -> dict[str, Rows]:
    """Each source's features of one file: a list with one array per clip.

    Raises AudioError if the file cannot be used.
    """
    made = rows_of(path, sources)
    return {source.name: rows for source, rows in zip(sources, made, strict=True)}


def rows_of(path: Audio, sources: Sequence[ExtractorSpec]) -> list[Rows]:
    """The features of one file for each source, in the order of the sources; one decode for all.

    Raises AudioError if the file cannot be used.
    """
    return rows_and_seconds(path, sources)[0]


def rows_and_seconds(path: Audio, sources: Sequence[ExtractorSpec]) -> tuple[list[Rows], float]:
    """Like `rows_of`, with how many seconds were heard: if sources hear different clips, the
    most."""
    made: list[Rows] = [[] for _ in sources]
    seconds = [0.0]
    for policy, same in by_policy(sources).items():
        rates = {sources[number].info.sample_rate for number in same}
        seconds.append(0.0)
        for waves in heard(path, policy, sorted(rates)):
            seconds[-1] += max(len(wave) / rate for rate, wave in waves.items())
            clips = {
                rate: Clips(torch.from_numpy(wave)[None], rate) for rate, wave in waves.items()
            }
            for number in same:
                source = sources[number]
                made[number] += apply(source, clips[source.info.sample_rate], path)
    return made, max(seconds)


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
    long_enough = [wave for wave in waves if len(wave) >= MIN_SECONDS * native]
    if not long_enough:
        raise AudioError(f"{path}: is too short ({len(waves[0]) / native:.2f} s).")
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
        made += clip_features(source, Clips(torch.from_numpy(waves[rate])[None], rate), audio)
    if source.kind == "sequence":
        longest = max(row.shape[1] for row in made)
        pad = torch.nn.functional.pad
        made = [pad(row, (0, longest - row.shape[1]), value=torch.nan) for row in made]
    return torch.stack(made).numpy()


def apply(source: ExtractorSpec, clips: Clips, path: Audio) -> Rows:
    """`clip_features` in stored form: sequences as float16, the rest as float32."""
    return [_storable(source, row) for row in clip_features(source, clips, path)]


def clip_features(source: ExtractorSpec, clips: Clips, path: Audio) -> list[torch.Tensor]:
    """Run one extractor on some clips of a file: float32 per clip, padding cut off, checked.

    Raises AudioError if the extractor fails or its values are not finite.
    """
    try:
        with torch.inference_mode():
            output = source.extractor(clips).float().cpu()
    except MgcError:
        raise
    except Exception as error:
        raise AudioError(
            f"{path}: extractor {source.name!r} failed ({type(error).__name__}: {error})."
        ) from error
    rows = list(output)
    if source.kind == "sequence":
        counts = [source.frame_count(int(length)) for length in clips.lengths]
        rows = [row[:, :count] for row, count in zip(rows, counts, strict=True)]
    for row in rows:
        if not np.isfinite(_reach(row)):
            raise AudioError(
                f"{path}: extractor {source.name!r} returned values that are not finite."
            )
    return rows


def _storable(source: ExtractorSpec, row: torch.Tensor) -> np.ndarray:
    if source.kind == "sequence" and _reach(row) < FLOAT16_LARGEST:
        row = row.half()
    array: np.ndarray = row.contiguous().numpy()
    return array


def _reach(row: torch.Tensor) -> float:
    """The largest magnitude, infinite or NaN if a value is."""
    lowest, highest = (float(limit) for limit in row.aminmax())
    return max(-lowest, highest)
