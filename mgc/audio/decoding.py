"""Decodes audio files to mono float32. The only module that opens audio.

libsndfile (through soundfile) reads mp3, wav, flac, ogg, opus, au and aiff; other formats
go to PyAV if it is installed (``pip install 'mgc-music[av]'``). Resampling is soxr at its HQ
setting. Where both read a format, the samples equal ``librosa.load``'s to the bit.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from mgc.audio import sound_length
from mgc.audio.audio_format import AudioFormat
from mgc.audio.byte_ranges import ByteRanges
from mgc.audio.containers.contents import SLACK_SECONDS, Contents, SoundPart
from mgc.audio.given import Audio, AudioBytes, AudioSamples
from mgc.audio.readers import BLOCK_SAMPLES, PartsReader, Reader, SamplesReader, with_remark
from mgc.audio.regular_file import require_regular
from mgc.errors import AudioError

#: Part of the features' fingerprint: another decoder may give other numbers. PyAV is left out,
#: since it is an extra: installing it would recompute every mp3's features.
DECODER = f"libsndfile {soundfile.__libsndfile_version__}, soxr {soxr.__version__} HQ"
#: Other rates mean a damaged header: nobody publishes music at 1 kHz or at 1 MHz.
RATES = range(2_000, 768_001)  # Hz
#: Of full scale. Larger samples were integers that were not divided by it, or are damage: features
#: of the rest would be cut off, since decibels are taken from the loudest frame on.
MAX_SAMPLE = 1e3
INSTALL_AV = "Another decoder may read it: pip install 'mgc-music[av]'"


def probe(path: Audio) -> AudioFormat:
    """Read a file's header. Raises AudioError if it is not a readable audio file."""
    with opened(path) as reader:
        return reader.format


def decode(
    path: Audio, sample_rate: int | None = None, *, start: float = 0.0, seconds: float | None = None
) -> tuple[np.ndarray, int]:
    """Decode a file, or ``seconds`` of it from ``start``, to mono.

    Args:
        path: the file.
        sample_rate: the wanted rate in Hz; None keeps the file's own.
        start: where to begin, in seconds; only what is needed is decoded.
        seconds: the maximum length; None reads to the end.

    Returns:
        Samples (sample,) float32, nominally in [-1, 1] (the mean of the channels), and their rate.

    Raises:
        AudioError: unreadable, empty, or with samples that are not finite.
    """
    with opened(path) as reader:
        rate = reader.format.sample_rate
        wave = _wave(path, reader, start, seconds)
    if not len(wave):
        raise AudioError(f"{path}: holds no samples.")
    if sample_rate is None or sample_rate == rate:
        return wave, rate
    return resample(wave, rate, sample_rate), sample_rate


def excerpts(
    path: Audio, starts: Callable[[float], Sequence[float]], seconds: float
) -> tuple[list[np.ndarray], int]:
    """Decode some parts of a file, opening it once; the rest is not decoded.

    Args:
        path: the file.
        starts: maps the file's length in seconds to the start times of the parts, in order.
        seconds: the length of each part; the last may be shorter.

    Returns:
        The parts, each (sample,) float32 mono and none of them empty, and their rate in Hz.

    Raises:
        AudioError: as for `decode`.
    """
    with opened(path) as reader:
        rate, claimed = reader.format.sample_rate, reader.format.seconds
        if claimed > 0:
            begins = starts(claimed)
            waves = [_wave(path, reader, begin, seconds) for begin in begins]
            due = min(seconds, claimed - begins[-1]) - SLACK_SECONDS
            if all(len(wave) >= due * rate for wave in waves):
                return _some(path, waves), rate
    # The header gives no length, or more than there is: count the samples.
    with opened(path) as reader:
        length = sum(len(block) for block in reader.blocks(0, None)) / rate
    with opened(path) as reader:
        return _some(path, [_wave(path, reader, begin, seconds) for begin in starts(length)]), rate


def resample(wave: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """(sample,) float32 at ``rate`` Hz → (⌈sample · wanted / rate⌉,) at ``wanted`` Hz."""
    if rate == wanted:
        return wave
    made: np.ndarray = soxr.resample(wave, rate, wanted, quality="HQ")
    length = int(np.ceil(len(wave) * wanted / rate))  # librosa's rule
    if len(made) >= length:
        return made[:length]
    return np.pad(made, (0, length - len(made)))


@np.errstate(over="ignore")  # what is not finite is refused
def mono(block: np.ndarray) -> np.ndarray:
    """(sample, channel) float32 → the mean of the channels (sample,)."""
    if block.shape[1] == 1:
        return block[:, 0]
    if block.shape[1] == 2:  # the bits of mean(axis=1), which is 30 × slower
        wave: np.ndarray = block[:, 0] + block[:, 1]
        wave *= 0.5
        return wave
    mean: np.ndarray = block.mean(axis=1, dtype=np.float32)
    return mean


def checked_mono(path: Audio, block: np.ndarray) -> np.ndarray:
    """`mono`. Raises AudioError if the samples cannot be computed with."""
    with np.errstate(invalid="ignore", over="ignore"):
        wave = mono(block)
        energy = np.dot(wave, wave)
    if problem := unusable(block, energy):
        raise AudioError(f"{path}: {problem}.")
    return wave


def unusable(block: np.ndarray, energy: float) -> str:
    """Why a block's samples cannot be computed with, in words that follow the file's name; "" if
    they can. ``energy``, the sum of their squares or more, is looked at first: that is fast."""
    if energy <= MAX_SAMPLE**2:
        return ""
    peak = np.abs(block).max()
    if not np.isfinite(peak):
        return "holds samples that are not numbers (NaN or infinite)"
    return f"holds samples out of range: up to {peak:.0e} of full scale" * bool(peak > MAX_SAMPLE)


def content_hash(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex. Raises AudioError if it cannot be read."""
    require_regular(path)
    try:
        with open(path, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}).") from error


@contextmanager
def opened(path: Audio) -> Iterator[Reader]:
    """An open `Reader` with a valid format. Raises AudioError, also for failures while reading."""
    if isinstance(path, AudioSamples):
        yield _checked(path, SamplesReader(path))
        return
    require_regular(path)
    try:
        with ExitStack() as files:
            found = sound_length.contents(path)
            try:
                reader = _reader(path, found, files)
            except AudioError as error:
                raise _with_cause(error, found.remark) from error
            yield reader
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError(f"{path}: does not decode ({_reason(error)}).") from error


def _with_cause(error: AudioError, remark: str) -> AudioError:
    cause = f" {remark[0].upper()}{remark[1:]}." if remark else ""
    return AudioError(error.message + cause, error.hint)


def _reader(path: Path | AudioBytes, found: Contents, files: ExitStack) -> Reader:
    """Reads the file as it is if that gives all of its sound, else the parts that hold sound."""
    if found.intact:
        whole = replace(found.parts[0], pieces=()) if found.parts else SoundPart(())
        reader = _opened(path, whole, files)
        if whole.agrees(reader.format.seconds):
            return with_remark(reader, found.remark)
    parts = [_opened(path, part, files) for part in found.parts]
    return with_remark(parts[0] if len(parts) == 1 else PartsReader(parts), found.remark)


def _opened(path: Path | AudioBytes, part: SoundPart, files: ExitStack) -> Reader:
    """A reader of a file, or of a part of it, by the first decoder that can open it."""

    def content() -> Any:
        if part.pieces:
            return files.enter_context(ByteRanges(path, part.pieces))
        return path.open() if isinstance(path, AudioBytes) else os.fsencode(path.absolute())

    def by_av(error: Exception, at: float | None = None) -> Reader:
        if find_spec("av") is None:
            where = "" if at is None else f" further than {at:,.1f} s"
            raise AudioError(
                f"{path}: does not decode{where} ({_reason(error)}).", INSTALL_AV
            ) from error
        from mgc.audio import ffmpeg

        return _checked(path, files.enter_context(ffmpeg.opened(path, content())))

    try:
        file = files.enter_context(soundfile.SoundFile(content()))
        if not file.seekable():
            raise OSError(f"{file.subtype_info} cannot be read from a place in it")
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        return by_av(error)
    return _checked(path, _SoundFileReader(file, part, by_av))


class _SoundFileReader:
    """Reads by libsndfile; where it gives up, PyAV goes on."""

    def __init__(
        self,
        file: soundfile.SoundFile,
        part: SoundPart,
        second: Callable[[Exception, float], Reader],
    ) -> None:
        self.file, self.second = file, second
        self.run_up = round(part.run_up * file.samplerate)
        samples = file.frames
        if part.pieces and not part.agrees(samples / file.samplerate):
            samples = round((part.seconds or 0.0) * file.samplerate)
        self.format = AudioFormat(file.samplerate, file.channels, samples)

    def blocks(self, start: int, count: int | None) -> Iterator[np.ndarray]:
        """See `Reader`."""
        at = start
        try:
            for block in self._blocks(start, count):
                yield block
                at += len(block)
        except soundfile.LibsndfileError as error:
            rest = self.second(error, max(at, self.file.tell()) / self.format.sample_rate)
            yield from rest.blocks(at, None if count is None else start + count - at)

    def _blocks(self, start: int, count: int | None) -> Iterator[np.ndarray]:
        size = max(1, BLOCK_SAMPLES // self.file.channels)
        while count is None or count > 0:
            wanted = size if count is None else min(size, count)
            early = min(start, self.run_up)
            if self.file.format == "OGG" and start:  # else some seeks land 20 ms off
                self.file.seek(0)
            if start - early != self.file.tell():
                self.file.seek(min(start, self.file.frames) - early)
            # In one read: soundfile seeks after each, and the run-up would be in vain.
            block = self.file.read(early + wanted, "float32", always_2d=True)[early:]
            if len(block):
                yield block
            if len(block) < wanted:  # asking again costs a seek
                return
            start += len(block)
            count = None if count is None else count - len(block)


def _wave(path: Audio, reader: Reader, start: float, seconds: float | None) -> np.ndarray:
    """One part as mono (sample,), empty if the file ends before it."""
    rate = reader.format.sample_rate
    count = None if seconds is None else round(seconds * rate)
    parts = [checked_mono(path, block) for block in reader.blocks(round(start * rate), count)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _some(path: Audio, waves: list[np.ndarray]) -> list[np.ndarray]:
    heard = [wave for wave in waves if len(wave)]
    if not heard:
        raise AudioError(f"{path}: holds no samples.")
    return heard


def _checked(path: Audio, reader: Reader) -> Reader:
    if reader.format.sample_rate not in RATES:
        rate = reader.format.sample_rate
        if isinstance(path, AudioSamples):
            raise AudioError(f"{path}: a sample rate of {rate} Hz is not possible.")
        raise AudioError(f"{path}: its header says {rate} Hz, so it is damaged.")
    if reader.format.channels < 1:
        raise AudioError(f"{path}: has no audio channel.")
    return reader


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).rstrip(".")
