"""Audio of any length as overlapping windows, decoded once, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mgc.audio import decoding
from mgc.audio.clip_policy import MIN_REMAINDER_SECONDS, checked_length
from mgc.audio.given import Audio


def sliding(audio: Audio, window: float, hop: float) -> Iterator[tuple[float, np.ndarray, int]]:
    """Windows of ``window`` seconds, one every ``hop`` seconds, of a whole file.

    What is left at the end is in a last window of full length that ends with the file; audio that
    is shorter than a window is one shorter window.

    Yields:
        The start of a window in seconds, its samples (sample,) float32 mono, and their rate in Hz.

    Raises:
        AudioError: unreadable, too short, or with samples that are not finite.
    """
    with decoding.opened(audio) as reader:
        rate = reader.format.sample_rate
        size, number, start = round(window * rate), 0, 0
        held, before = np.empty(0, np.float32), 0  # the samples in memory, and how many were before
        for block in reader.blocks(0, None):
            held = np.concatenate([held, decoding.checked_mono(audio, block)])
            while before + len(held) >= start + size:
                yield start / rate, held[start - before :][:size], rate
                number += 1
                start = round(number * hop * rate)
            spare = min(start - before, len(held) - size)
            held, before = held[max(0, spare) :], before + max(0, spare)
    end = before + len(held)
    checked_length(audio, end, rate)
    heard = round((number - 1) * hop * rate) + size if number else 0
    if end - heard >= MIN_REMAINDER_SECONDS * rate or not number:
        yield max(0, end - size) / rate, held[-size:], rate
