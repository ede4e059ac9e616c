"""Audio in any form a caller may pass: a path, an open file, or samples in memory."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mgc.audio.clips import as_numpy
from mgc.errors import AudioError, UsageError, in_words

MAX_CHANNELS = 64
#: A larger float sample was once an integer and has not been divided by its full scale.
MAX_PEAK = 100.0
FORMS = "Give a path, a binary file, or (samples, sample_rate)."


@dataclass(frozen=True)
class AudioBytes:
    """The content of an audio file."""

    content: bytes = field(repr=False)
    name: str = "the given file"

    def __str__(self) -> str:
        return self.name

    def open(self) -> BinaryIO:
        """The content as a file, positioned at its beginning."""
        return io.BytesIO(self.content)


@dataclass(frozen=True)
class AudioSamples:
    """Decoded audio: (sample, channel) float32, nominally in [-1, 1], at a rate in Hz."""

    samples: np.ndarray = field(repr=False)
    sample_rate: int
    name: str = "the given array"

    def __str__(self) -> str:
        return self.name


#: What can be decoded.
Audio = Path | AudioBytes | AudioSamples


def given(audio: object) -> Audio:
    """Audio in any form that the public functions accept, checked.

    Args:
        audio: a path (``str`` or ``os.PathLike``); a binary file, which is read from its
            current position to its end and not closed; or a pair of samples and their rate in Hz.
            Samples are (sample,), (sample, channel) or (channel, sample), the longer axis being
            time, of a float type in [-1, 1] or int16.

    Raises:
        UsageError: it is none of these.
        AudioError: an array is empty or holds values that are not finite.
    """
    if isinstance(audio, str | os.PathLike):
        return Path(audio)
    if isinstance(audio, tuple) and len(audio) == 2:
        return AudioSamples(_samples(audio[0]), _rate(audio[1]))
    if hasattr(audio, "read"):
        content = audio.read()
        if not isinstance(content, bytes | bytearray | memoryview):
            kind = type(content).__name__
            raise UsageError(
                f"The given file reads as {kind}, not bytes.", "Open it with mode 'rb'."
            )
        name = getattr(audio, "name", None)
        return AudioBytes(bytes(content), name if isinstance(name, str) else AudioBytes.name)
    raise UsageError(f"{type(audio).__name__} is not a form of audio.", FORMS)


def _rate(rate: Any) -> int:
    if isinstance(rate, bool) or not hasattr(rate, "__index__"):
        raise UsageError(f"A sample rate must be a whole number of Hz, not {rate!r}.", FORMS)
    return int(rate)


def _samples(array: Any) -> np.ndarray:
    try:
        samples = as_numpy(array)
    except Exception as error:  # whatever an object does that offers itself as an array
        raise UsageError(
            f"The samples are no array of numbers ({in_words(error)}).", FORMS
        ) from error
    if samples.dtype.newbyteorder("=") == np.int16:
        samples = samples.astype(np.float32) / 32_768
    elif not np.issubdtype(samples.dtype, np.floating):
        raise UsageError(
            f"Samples of type {samples.dtype} cannot be used.", "Give a float type or int16."
        )
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.ndim != 2:
        raise UsageError(
            f"Samples must be (sample,) or (sample, channel), not of shape {samples.shape}.",
            FORMS,
        )
    if not samples.size:
        raise AudioError(f"{AudioSamples.name}: holds no samples.")
    if samples.shape[1] > samples.shape[0]:
        samples = samples.T
    if samples.shape[1] > MAX_CHANNELS:
        raise UsageError(
            f"An array of shape {np.shape(array)} would have {samples.shape[1]} channels.", FORMS
        )
    return _sound(samples)


def _sound(samples: np.ndarray) -> np.ndarray:
    if not np.isfinite(samples).all():
        raise AudioError(
            f"{AudioSamples.name}: holds samples that are not numbers (NaN or infinite)."
        )
    peak = float(np.abs(samples).max())
    if peak > MAX_PEAK:
        raise UsageError(
            f"Float samples must be in [-1, 1]; the given ones reach {peak:,.0f}.",
            "Divide integer samples by their full scale, or give the int16 array itself.",
        )
    return np.ascontiguousarray(samples, np.float32)
