"""The samples of audio in any form: ``mgc.decode``."""

from __future__ import annotations

import numpy as np

from mgc.audio import decoding
from mgc.audio.given import given


def decode(
    audio: object,
    sample_rate: int | None = None,
    *,
    start: float = 0.0,
    seconds: float | None = None,
) -> tuple[np.ndarray, int]:
    """Audio, or ``seconds`` of it from ``start``, as mono samples and their rate in Hz.

    Args:
        audio: a path, a binary file object, or (samples, sample rate in Hz).
        sample_rate: the wanted rate; None keeps its own.
        start: where to begin, in seconds.
        seconds: the most to return; None is to the end.

    Returns:
        (sample,) float32, nominally in [-1, 1], and their rate.

    Raises:
        AudioError: the audio cannot be used, or ends before ``start``.
    """
    return decoding.decode(given(audio), sample_rate, start=start, seconds=seconds)
