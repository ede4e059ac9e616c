"""Sound with some seconds or a frequency band taken out, in ways that leave the rest as it was."""

from __future__ import annotations

import numpy as np
from scipy.signal import istft, stft

FADE_SECONDS = 0.02
N_FFT = 2_048  # samples
EDGE_SEMITONES = 4  # on each side of a band, from which it is filled
QUIET = 1e-7  # of full scale, for logarithms


def without_seconds(wave: np.ndarray, rate: int, start: float, end: float) -> np.ndarray:
    """(sample,) without the part from ``start`` to ``end`` (s): cut out, and the ends crossfaded.

    Nothing is put in its place, so nothing that no training music holds (silence, noise) is heard.
    """
    first, last = round(start * rate), round(end * rate)
    before, after = wave[:first], wave[last:]
    size = min(round(FADE_SECONDS * rate), len(before), len(after))
    if not size:
        return np.concatenate([before, after])
    rise = np.linspace(0, 1, size, dtype=np.float32)
    joint = before[-size:] * (1 - rise) + after[:size] * rise
    return np.concatenate([before[:-size], joint, after[size:]])


def without_band(wave: np.ndarray, rate: int, low: float, high: float) -> np.ndarray:
    """(sample,) whose band from ``low`` to ``high`` (Hz) is like its neighbours.

    In every frame the band's level is drawn straight, in dB, from the level just below to that just
    above it, so that there is no hole in the spectrum, which no training music has. A band at the
    end of the spectrum continues the level of its only neighbour.
    """
    if len(wave) < N_FFT:
        return wave
    spectrum = stft(wave, rate, nperseg=N_FFT)[2]
    bin_hz, ratio = rate / N_FFT, 2 ** (EDGE_SEMITONES / 12)
    first = round(low / bin_hz)
    last = round(high / bin_hz) if high < rate / 2 else len(spectrum)
    levels = np.log(np.abs(spectrum) + QUIET)
    edges = [
        levels[min(round(low / ratio / bin_hz), first - 1) : first] if first > 0 else None,
        levels[last : max(round(high * ratio / bin_hz), last + 1)] if last < len(levels) else None,
    ]
    below, above = (None if edge is None else edge.mean(0) for edge in edges)
    below = above if below is None else below
    above = below if above is None else above
    if below is None or above is None or last <= first:
        return wave
    share = ((np.arange(first, last) + 0.5 - first) / (last - first))[:, None]
    wanted = np.exp(below * (1 - share) + above * share)
    spectrum[first:last] *= wanted / (np.abs(spectrum[first:last]) + QUIET)
    made = istft(spectrum, rate, nperseg=N_FFT)[1][: len(wave)]
    return np.asarray(made, np.float32)
