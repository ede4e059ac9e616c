"""Decodes formats that libsndfile does not read, through PyAV (FFmpeg): m4a, mp4, wma, webm.

Used by `mgc.audio.decoding` alone. The mean of the channels is taken there, not by FFmpeg, whose
mono mix-down is 3 dB louder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from mgc.audio import decoders
from mgc.audio.audio_format import AudioFormat
from mgc.audio.containers.contents import SLACK_SECONDS, claim_remark
from mgc.audio.given import AudioBytes
from mgc.audio.readers import with_channels
from mgc.errors import AudioError

#: Lossy codecs need some packets before they are exact: decoding begins this much early.
RUN_UP_SECONDS = 1.0
#: What FFmpeg may open if a file names others: files, and no address.
LOCAL = {"protocol_whitelist": "file"}
#: Containers without an index: FFmpeg guesses positions from the bit rate.
UNINDEXED = (
    *("aac", "ac3", "amr", "dts", "eac3", "flac", "loas", "mp3"),
    *("mpegts", "ogg", "rm", "sbc"),
)
_ADTS_HZ = (96e3, 88.2e3, 64e3, 48e3, 44.1e3, 32e3, 24e3, 22.05e3, 16e3, 12e3, 11_025, 8e3, 7_350)


@contextmanager
def opened(path: Path | AudioBytes, file: BinaryIO | bytes | None = None) -> Iterator[AvReader]:
    """An open reader. Raises AudioError if FFmpeg cannot read the file either."""
    source = local(path) if file is None or isinstance(file, bytes) else file
    decoders.noted().pyav = decoders.pyav()
    try:
        with av.open(source, "r", options=LOCAL) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: holds no audio.")
            if container.streams.audio[0].codec_context is None:
                raise AudioError(f"{path}: does not decode (its codec is unknown).")
            yield AvReader(container)
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{path}: does not decode ({reason}).") from error


def local(path: Path | AudioBytes) -> str:
    """The path in a form that FFmpeg never takes for an address, as it does ``http:…``."""
    return f"file:{os.path.abspath(str(path))}"


class AvReader:
    """The first audio stream of a container; see `mgc.audio.decoding.Reader`."""

    def __init__(self, container: av.container.InputContainer) -> None:
        self.container = container
        self.stream = container.streams.audio[0]
        self.exact = container.format.name not in UNINDEXED
        # Opus begins before 0, by what its decoder drops; a seek to 0 passes over it.
        before = self.stream.codec_context.name in ("opus", "flac")
        self.earliest = -RUN_UP_SECONDS if before else 0.0
        rate = self.stream.codec_context.sample_rate or 0
        self.origin = next((_time(frame) for frame in self._decoded()), 0.0)
        claimed = self._claimed_seconds()
        seconds = self._seconds(claimed)
        remark = claim_remark(claimed, seconds) if self.exact and claimed else ""
        if abs(claimed - seconds) <= SLACK_SECONDS:
            seconds = claimed
        samples = max(0, round(seconds * rate))
        self.format = AudioFormat(rate, self.stream.codec_context.channels, samples, remark)

    def _claimed_seconds(self) -> float:
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        return (self.container.duration or 0) / av.time_base

    def _seconds(self, claimed: float) -> float:
        """Where the last packet ends. If there is an index, the packets near the claimed end
        tell, else (and if there are none, because the file is cut off) all packets are read."""
        if self.exact and claimed:
            self.container.seek(int(max(0.0, claimed - RUN_UP_SECONDS) * av.time_base))
            if ends := [end for end, _ in self._packet_times()]:
                return max(ends) - self.origin
        self.container.seek(int(self.earliest * av.time_base))
        times = list(self._packet_times())
        if self.exact:
            return max((end for end, _ in times), default=0.0) - self.origin
        return sum(length for _, length in times)

    def _packet_times(self) -> Iterator[tuple[float, float]]:
        """(end, length) in seconds of each packet."""
        base = float(self.stream.time_base or 0)
        for packet in self._packets():
            if packet.size:
                length = (packet.duration or 0) * base
                if self.container.format.name == "aac" and length:  # at the first packet's rate
                    length = 1_024 / _ADTS_HZ[min(bytes(packet)[2] >> 2 & 15, 12)]
                yield (packet.pts or 0) * base + length, length

    def blocks(self, start: int, count: int | None) -> Iterator[np.ndarray]:
        """See `decoding.Reader`. Exact to a millisecond, the unit of time of some containers."""
        early = start / self.format.sample_rate - RUN_UP_SECONDS if self.exact else self.earliest
        self.container.seek(int(max(self.earliest, early) * av.time_base))
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
        add up, and the samples follow each other without gaps. Without an index, not even that.
        """
        at = None if self.exact else 0
        for frame in self._at_one_rate():
            samples = frame.to_ndarray().reshape(-1, frame.layout.nb_channels)
            samples = with_channels(samples, self.format.channels)
            if at is None:
                at = round((_time(frame) - self.origin) * self.format.sample_rate)
                at = at if self.earliest else max(0, at)
            yield at, samples
            at += len(samples)

    def _at_one_rate(self) -> Iterator[av.AudioFrame]:
        """The frames from here on as float32; those of another rate are resampled. All channels
        are in one plane: of eight or more, PyAV reads memory that is not theirs."""
        packed, before = None, None
        for frame in self._decoded():
            form = frame.sample_rate, frame.layout.name, frame.format.name
            if packed is None or form != before:
                if packed is not None:
                    yield from packed.resample(None)
                packed, before = av.AudioResampler("flt", rate=self.format.sample_rate), form
            yield from packed.resample(frame)
        if packed is not None:
            yield from packed.resample(None)

    def _decoded(self) -> Iterator[av.AudioFrame]:
        """The frames from here on; packets that do not decode are passed over."""
        for packet in self._packets():
            with suppress(av.FFmpegError):
                yield from packet.decode()

    def _packets(self) -> Iterator[av.Packet[av.AudioStream]]:
        """The packets from here on, and an empty one at the end."""
        with suppress(av.FFmpegError):  # the file ends in the middle of a packet
            yield from self.container.demux(self.stream)


def _time(frame: av.AudioFrame) -> float:
    """Seconds on the stream's clock, which need not begin at 0."""
    return float(frame.time or 0.0)
