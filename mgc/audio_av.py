"""Decodes through PyAV (FFmpeg) what libsndfile does not read: m4a, mp4, wma, webm.

Used by `mgc.audio` alone. The mean of the channels is taken here, not by FFmpeg, whose mono
mix-down is 3 dB louder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

from mgc.audio import AudioFormat, _checked, mono
from mgc.errors import AudioError


def probe(path: Path) -> AudioFormat:
    """Read a file's header. Raises AudioError where FFmpeg cannot either."""
    with _stream(path) as (container, stream):
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        else:
            seconds = (container.duration or 0) / av.time_base
        rate = stream.codec_context.sample_rate
        found = AudioFormat(rate, stream.codec_context.channels, round(seconds * rate))
        return _checked(path, found)


def decode(path: Path, start: float, seconds: float | None) -> tuple[np.ndarray, int]:
    """Mono float32 (sample,) at the file's own rate; see `mgc.audio.decode`."""
    with _stream(path) as (container, stream):
        rate = stream.codec_context.sample_rate
        _checked(path, AudioFormat(rate, stream.codec_context.channels, 0))
        if start > 0:
            # A second early: lossy codecs need some packets before they are exact.
            container.seek(int(max(0.0, start - 1.0) / stream.time_base), stream=stream)
        first, end = round(start * rate), None
        if seconds is not None:
            end = first + round(seconds * rate)
        parts = list(_cut(_frames(container, stream), rate, first, end))
    if not parts:
        raise AudioError(f"{path}: holds no samples.")
    return np.concatenate(parts), rate


@contextmanager
def _stream(path: Path) -> Iterator[tuple[av.container.InputContainer, av.AudioStream]]:
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: holds no audio.")
            yield container, container.streams.audio[0]
    except (av.FFmpegError, ValueError) as error:
        raise AudioError(f"{path}: does not decode ({error}).") from error


def _frames(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[tuple[float, np.ndarray]]:
    """(time in seconds, (sample, channel) float32) of each decoded frame."""
    planar = av.AudioResampler(format="fltp")  # format alone: rate and channels stay
    for frame in container.decode(stream):
        for part in planar.resample(frame):
            yield float(part.time or 0.0), part.to_ndarray().T


def _cut(
    frames: Iterator[tuple[float, np.ndarray]], rate: int, first: int, end: int | None
) -> Iterator[np.ndarray]:
    """The mono samples [first, end) of a stream of timed frames."""
    for time, samples in frames:
        at = max(0, round(time * rate))
        low = max(first - at, 0)
        high = len(samples) if end is None else min(len(samples), end - at)
        if low < high:
            yield mono(samples[low:high])
        if end is not None and at + len(samples) >= end:
            return
