"""Decodes formats that libsndfile does not read, through PyAV (FFmpeg): m4a, mp4, wma, webm.

Used by `mgc.audio.decoding` alone. The mean of the channels is taken there, not by FFmpeg, whose
mono mix-down is 3 dB louder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

from mgc.audio import decoders
from mgc.audio.audio_format import AudioFormat
from mgc.audio.given import AudioBytes
from mgc.errors import AudioError

#: Lossy codecs need some packets before they are exact: decoding begins this much early.
RUN_UP_SECONDS = 1.0


@contextmanager
def opened(path: Path | AudioBytes) -> Iterator[AvReader]:
    """An open reader. Raises AudioError if FFmpeg cannot read the file either."""
    decoders.noted().pyav = decoders.pyav()
    try:
        with av.open(path.open() if isinstance(path, AudioBytes) else str(path), "r") as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: holds no audio.")
            if container.streams.audio[0].codec_context is None:
                raise AudioError(f"{path}: does not decode (its codec is unknown).")
            yield AvReader(container)
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{path}: does not decode ({reason}).") from error


class AvReader:
    """The first audio stream of a container; see `mgc.audio.decoding.Reader`."""

    def __init__(self, container: av.container.InputContainer) -> None:
        self.container = container
        self.stream = container.streams.audio[0]
        rate = self.stream.codec_context.sample_rate or 0
        samples = max(0, round(self._claimed_seconds() * rate))
        self.format = AudioFormat(rate, self.stream.codec_context.channels, samples)
        self.origin = next((_time(frame) for frame in container.decode(self.stream)), 0.0)

    def _claimed_seconds(self) -> float:
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        return (self.container.duration or 0) / av.time_base

    def blocks(self, start: int, count: int | None) -> Iterator[np.ndarray]:
        """See `decoding.Reader`. Exact to a millisecond, the unit of time of some containers."""
        early = max(0.0, start / self.format.sample_rate - RUN_UP_SECONDS)
        self.container.seek(int(early * av.time_base))
        end = None if count is None else start + count
        for at, samples in self._frames():
            low = max(start - at, 0)
            high = len(samples) if end is None else min(len(samples), end - at)
            if low < high:
                yield samples[low:high]
            if end is not None and at + len(samples) >= end:
                return

    def _frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """(number of the first sample, (sample, channel) float32) of each decoded frame.

        Only the first frame's time is trusted: if times are whole milliseconds, they do not
        add up, and the samples follow each other without gaps.
        """
        planar = av.AudioResampler(format="fltp")  # only the format changes, not rate or channels
        at: int | None = None
        for frame in self.container.decode(self.stream):
            for part in planar.resample(frame):
                samples = part.to_ndarray().T
                if at is None:
                    at = max(0, round((_time(part) - self.origin) * self.format.sample_rate))
                yield at, samples
                at += len(samples)


def _time(frame: av.AudioFrame) -> float:
    """Seconds on the stream's clock, which need not begin at 0."""
    return float(frame.time or 0.0)
