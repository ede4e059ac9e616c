"""Statistics of a sound's texture: what tells music from noise, tones, clicks, hum and speech.

Chosen after the sets of McDermott and Simoncelli (2011; moments, modulation and correlation of
bands) and of speech/music discrimination (Scheirer and Slaney 1997; flux, 4 Hz modulation, pulse).
All are independent of the level. The spectrum is that of mel, MFCC and chroma, which is computed
once for all of them; a half and a quarter of its frames are enough here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from mgc.audio.clips import Clips, as_numpy

HOP, N_FFT = 512, 2048  # samples
COARSE, FINE = 2, 4  # every so manyth frame is used, for bands and for bins
MIN_FRAMES = 9  # a shorter clip is heard over and over
BANDS, LOW_HZ, HIGH_HZ = 24, 50.0, 10_000.0
LEAST = np.float32(1e-30)
RANGE = 1e-8  # of the power, down to which there is a difference: 80 dB
LOWEST, HIGHEST, TONAL = 5, 930, 505  # bins: 54 Hz to 10 kHz; pitch is looked for up to 5.4 kHz
REGIONS = (LOWEST, 47, 186, 557)  # bins: 54, 506, 2,000 and 6,000 Hz
NEIGHBOUR = 4  # bins: a peak stands out from those so far on both sides
MODULATIONS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  # Hz
SHAPES = 6  # cosines that describe the mean spectrum
BAND_LAGS, BIN_LAGS = (1, 2, 8, 32), (1, 2, 4, 16)  # frames: 46 ms to 1.5 s, 93 ms to 1.5 s
PULSE_SECONDS = (0.3, 1.4)  # between beats
QUIET = (25.0, 45.0)  # dB below the loud frames
QUANTILES = (0.05, 0.5, 0.95)
#: (cosine, band)
COSINES = np.cos(np.pi / BANDS * np.outer(np.arange(SHAPES) + 1, np.arange(BANDS) + 0.5))


@dataclass(frozen=True)
class TextureParams:
    """There is nothing to set."""


class Texture:
    """The statistics of each clip."""

    Params = TextureParams

    def __init__(self, params: TextureParams, device: str) -> None:
        self.params = params

    def __call__(self, clips: Clips) -> np.ndarray:
        """(clip, statistic) float32."""
        spectra = zip(clips.power(N_FFT, HOP), clips.valid_frames(HOP), strict=True)
        return np.stack([statistics(as_numpy(p[:n]), clips.sample_rate) for p, n in spectra])


def statistics(power: np.ndarray, rate: int) -> np.ndarray:
    """The statistics (statistic,) float32 of a power spectrum (frame, bin) float32."""
    level = power.sum(1)
    loud, second = np.flatnonzero(level > RANGE * level.max()), rate // HOP
    if len(loud):  # silence of over a second, before or after, tells nothing of the sound
        power = power[max(int(loud[0]) - second, 0) : int(loud[-1]) + 1 + second]
    if len(power) < MIN_FRAMES:
        power = np.tile(power, (MIN_FRAMES, 1))
    coarse, fine = power[::COARSE, LOWEST:HIGHEST], power[::FINE, LOWEST:HIGHEST]
    fine = np.maximum(fine / max(fine.max(), LEAST), 1e-10)
    logs = np.log10(fine)
    bands = _decibel(coarse @ _bands(rate))
    return np.concatenate(
        [
            _shape(bands),
            _movement(bands, rate / (HOP * COARSE)),
            _correlation(bands),
            _flatness(fine, logs),
            _tonality(logs),
            _dynamics(_decibel(coarse.sum(1))),
        ],
        dtype=np.float32,
    )


def _decibel(power: np.ndarray) -> np.ndarray:
    """dB below the largest value, down to the limit of the range."""
    return np.asarray(10 * np.log10(np.maximum(power / max(power.max(), LEAST), RANGE)))


@lru_cache
def _bands(rate: int) -> np.ndarray:
    """Means over bands of equal ratio, (bin from `LOWEST` to `HIGHEST`, band) float32."""
    hertz = np.arange(LOWEST, HIGHEST) * (rate / N_FFT)
    edges = LOW_HZ * (HIGH_HZ / LOW_HZ) ** (np.arange(BANDS + 1) / BANDS)
    centres = np.sqrt(edges[1:] * edges[:-1])
    inside = (hertz[:, None] >= edges[:-1]) & (hertz[:, None] < edges[1:])
    inside[np.abs(hertz[:, None] - centres).argmin(0), np.arange(BANDS)] = True
    return np.asarray(inside / inside.sum(0), np.float32)


def _shape(bands: np.ndarray) -> np.ndarray:
    """The mean spectrum, as cosines; and its deviation over time in two regions."""
    shape = COSINES @ bands.mean(0) / BANDS
    return np.concatenate([shape, _by_region(bands.std(0))])


def _by_region(values: np.ndarray) -> np.ndarray:
    """Means over the low and middle bands; there is little above 4 kHz in telephone sound."""
    return np.asarray(values.reshape(3, -1).mean(1)[:2])


def _movement(bands: np.ndarray, frames: float) -> np.ndarray:
    """Flux, how its onsets are distributed and repeat, and the modulation spectrum of the bands;
    ``frames`` is their number a second."""
    steps = np.diff(bands, axis=0)
    onsets = np.maximum(steps, 0).mean(1)
    onsets = onsets - onsets.mean()
    spread = onsets.std() + 1e-3
    again = np.fft.irfft(np.abs(np.fft.rfft(onsets, 2 * len(onsets))) ** 2)
    first, last = (int(seconds * frames) for seconds in PULSE_SECONDS)
    beats = np.pad(again[: len(onsets)], (0, last))[first:last]
    waves = (np.abs(np.fft.rfft(bands - bands.mean(0), axis=0)) ** 2).sum(1)
    hertz = np.linspace(0, frames / 2, len(waves))
    edges = [*np.searchsorted(hertz, MODULATIONS), len(waves)]
    parts = np.array([waves[a:b].sum() for a, b in pairwise(edges)])
    shares = parts / (waves.sum() + 1e-3)
    extra = [(onsets**3).mean() / spread**3, beats.max() / (again[0] + 1e-3)]
    return np.concatenate([_by_region(np.abs(steps).mean(0)), extra, np.log10(shares + 1e-3)])


def _again(values: np.ndarray, lags: tuple[int, ...]) -> np.ndarray:
    """How similar frames are to those so many frames later: correlations (lag,)."""
    energy = (values**2).mean() + 1e-3
    pairs = [(values[lag:], values[: max(len(values) - lag, 0)]) for lag in lags]
    found = np.array([(a * b).mean() if len(a) > 4 else 0.0 for a, b in pairs])
    return np.asarray(found / energy)


def _correlation(bands: np.ndarray) -> np.ndarray:
    """How similar bands remain over time, and how far they move together."""
    centred = bands - bands.mean(0)
    floor = 1e-2 * np.eye(BANDS, dtype=np.float32)
    shares = np.linalg.eigvalsh(centred.T @ centred / len(bands) + floor)
    shares = shares / shares.sum()
    together = [shares[-1], -np.log((shares**2).sum())]
    return np.concatenate([_again(centred, BAND_LAGS), together])


def _flatness(power: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Log ratio of geometric to arithmetic mean in three regions: its mean and deviation."""
    regions = list(pairwise(edge - LOWEST for edge in REGIONS))
    means = np.stack([power[:, a:b].mean(1) for a, b in regions])
    flat = np.stack([logs[:, a:b].mean(1) for a, b in regions]) - np.log10(means)
    return np.concatenate([flat.mean(1), flat.std(1)])


def _tonality(logs: np.ndarray) -> np.ndarray:
    """How far peaks stand out from their neighbours, and whether they remain over time."""
    logs = logs[:, : TONAL - LOWEST]
    far = 2 * NEIGHBOUR
    peaks = logs[:, NEIGHBOUR:-NEIGHBOUR] - (logs[:, far:] + logs[:, :-far]) / 2
    energy = (peaks**2).mean() + 1e-4
    steady = (peaks.mean(0) ** 2).mean() / energy
    return np.concatenate([[np.sqrt(energy), steady], _again(peaks, BIN_LAGS)])


def _dynamics(level: np.ndarray) -> np.ndarray:
    """Distances between quantiles of the level, and the share of quiet frames."""
    low, middle, high = np.quantile(level, QUANTILES)
    quiet = [(level < high - below).mean() for below in QUIET]
    return np.array([-high, high - middle, middle - low, *quiet])
