"""Open audio as blocks of samples, whatever it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from math import gcd
from typing import Protocol

import numpy as np
import soxr

from mgc.audio.audio_format import AudioFormat
from mgc.audio.given import AudioSamples

BLOCK_SAMPLES = 1 << 22  # of all channels: 16 MiB of float32


class Reader(Protocol):
    """An open audio file."""

    format: AudioFormat

    def blocks(self, start: int, count: int | None) -> Iterator[np.ndarray]:
        """(sample, channel) float32 blocks from sample ``start``: ``count`` samples in all, fewer
        at the end of the file; None reads to the end."""
        ...


def with_remark(reader: Reader, remark: str) -> Reader:
    """The reader; the remark precedes its own."""
    remarks = dict.fromkeys(filter(None, (remark, reader.format.remark)))
    reader.format = replace(reader.format, remark="; ".join(remarks))
    return reader


class SamplesReader:
    """Samples in memory."""

    def __init__(self, audio: AudioSamples) -> None:
        self.samples = audio.samples
        length, channels = audio.samples.shape
        self.format = AudioFormat(audio.sample_rate, channels, length)

    def blocks(self, start: int, count: int | None) -> Iterator[np.ndarray]:
        """See `Reader`."""
        end = len(self.samples) if count is None else start + count
        size = max(1, BLOCK_SAMPLES // self.format.channels)
        for at in range(start, min(end, len(self.samples)), size):
            yield self.samples[at : min(at + size, end)]


class PartsReader:
    """Parts of a file, heard one after the other at the rate and channels of the first."""

    def __init__(self, parts: Sequence[Reader]) -> None:
        first = parts[0].format
        self.parts = parts
        self.lengths = [round(part.format.seconds * first.sample_rate) for part in parts]
        self.format = AudioFormat(first.sample_rate, first.channels, sum(self.lengths))
        for part in parts:
            with_remark(self, part.format.remark)

    def blocks(self, start: int, count: int | None) -> Iterator[np.ndarray]:
        """See `Reader`."""
        left = self.format.samples - start if count is None else count
        for part, length in zip(self.parts, self.lengths, strict=True):
            if start < length and left > 0:
                wanted = min(left, length - start)
                left -= wanted
                yield from self._converted(part, start, wanted)
            start = max(0, start - length)

    def _converted(self, part: Reader, start: int, count: int) -> Iterator[np.ndarray]:
        rate, wanted = part.format.sample_rate, self.format.sample_rate
        if rate == wanted:
            blocks = part.blocks(start, count)
        else:
            blocks = _resampled(part, start, count, wanted)
        for block in blocks:
            yield with_channels(block, self.format.channels)


def with_channels(block: np.ndarray, channels: int) -> np.ndarray:
    """A (sample, channel) block with so many channels: if it has others, their mean in each."""
    if block.shape[1] == channels:
        return block
    return np.repeat(block.mean(axis=1, keepdims=True), channels, axis=1)


def _resampled(part: Reader, start: int, count: int, wanted: int) -> Iterator[np.ndarray]:
    """``count`` samples at the ``wanted`` rate from sample ``start`` of the part.

    It begins a little earlier and ends later, for the filter's sake, and where a sample of the one
    rate meets one of the other, so that a piece is the same whatever is read with it.
    """
    rate, channels = part.format.sample_rate, part.format.channels
    step, margin = wanted // gcd(rate, wanted), wanted // 10
    early = max(0, start - margin) // step * step
    due = -(-(start + count + margin - early) * rate // wanted)
    stream = soxr.ResampleStream(rate, wanted, channels, quality="HQ")
    skip = start - early
    for block in chain(part.blocks(early * rate // wanted, due), [None]):
        rest = np.empty((0, channels), np.float32)
        made = stream.resample_chunk(rest if block is None else block, last=block is None)
        made, skip = made[skip:], max(0, skip - len(made))
        made = made[:count]
        count -= len(made)
        if len(made):
            yield made
