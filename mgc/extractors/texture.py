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

import torch
from torch import Tensor

from mgc.audio.clips import Clips

HOP, N_FFT = 512, 2048  # samples
COARSE, FINE = 2, 4  # every so manyth frame is used, for bands and for bins
MIN_FRAMES = 9  # a shorter clip is heard over and over
BANDS, LOW_HZ, HIGH_HZ = 24, 50.0, 10_000.0
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


@dataclass(frozen=True)
class TextureParams:
    """There is nothing to set."""


class Texture:
    """The statistics of each clip."""

    Params = TextureParams

    def __init__(self, params: TextureParams, device: str) -> None:
        self.params = params

    def __call__(self, clips: Clips) -> Tensor:
        """(clip, statistic) float32."""
        counts = clips.frame_counts(HOP).tolist()
        spectra = clips.power_spectrum(N_FFT, HOP)
        made = [statistics(p[:n], clips.sample_rate) for p, n in zip(spectra, counts, strict=True)]
        return torch.stack(made)


def statistics(power: Tensor, rate: int) -> Tensor:
    """The statistics (statistic,) float32 of a power spectrum (frame, bin)."""
    level = power.sum(1)
    loud, second = (level > RANGE * level.amax()).nonzero(), rate // HOP
    if len(loud):  # silence of over a second, before or after, tells nothing of the sound
        power = power[max(int(loud[0]) - second, 0) : int(loud[-1]) + 1 + second]
    if len(power) < MIN_FRAMES:
        power = power.repeat(MIN_FRAMES, 1)
    coarse, fine = power[::COARSE, LOWEST:HIGHEST], power[::FINE, LOWEST:HIGHEST]
    fine = (fine / fine.amax().clamp(min=1e-30)).clamp_(min=1e-10)
    logs = fine.log10()
    bands = _decibel(coarse @ _bands(rate, power.device))
    return torch.cat(
        [
            _shape(bands),
            _movement(bands, rate / (HOP * COARSE)),
            _correlation(bands),
            _flatness(fine, logs),
            _tonality(logs),
            _dynamics(_decibel(coarse.sum(1))),
        ]
    )


def _decibel(power: Tensor) -> Tensor:
    """dB below the largest value, down to the limit of the range."""
    return (power / power.amax().clamp(min=1e-30)).clamp_(min=RANGE).log10_().mul_(10)


@lru_cache
def _bands(rate: int, device: torch.device) -> Tensor:
    """Means over bands of equal ratio, (bin from `LOWEST` to `HIGHEST`, band)."""
    hertz = torch.arange(LOWEST, HIGHEST, device=device) * (rate / N_FFT)
    steps = torch.arange(BANDS + 1, device=device) / BANDS
    edges = LOW_HZ * (HIGH_HZ / LOW_HZ) ** steps
    centres = (edges[1:] * edges[:-1]).sqrt()
    inside = (hertz[:, None] >= edges[:-1]) & (hertz[:, None] < edges[1:])
    nearest = (hertz[:, None] - centres).abs().argmin(0)
    inside[nearest, torch.arange(BANDS)] = True
    shares: Tensor = inside / inside.sum(0)
    return shares


def _shape(bands: Tensor) -> Tensor:
    """The mean spectrum, as cosines; and its deviation over time in two regions."""
    shape = _cosines(bands.device) @ bands.mean(0) / BANDS
    return torch.cat([shape, _by_region(bands.std(0, correction=0))])


@lru_cache
def _cosines(device: torch.device) -> Tensor:
    """(cosine, band)."""
    band = torch.arange(BANDS, device=device) + 0.5
    return torch.stack([(torch.pi / BANDS * band * k).cos() for k in range(1, SHAPES + 1)])


def _by_region(values: Tensor) -> Tensor:
    """Means over the low and middle bands; there is little above 4 kHz in telephone sound."""
    return values.view(3, -1).mean(1)[:2]


def _movement(bands: Tensor, frames: float) -> Tensor:
    """Flux, how its onsets are distributed and repeat, and the modulation spectrum of the bands;
    ``frames`` is their number a second."""
    steps = bands.diff(dim=0)
    onsets = steps.clamp(min=0).mean(1)
    onsets = onsets - onsets.mean()
    spread = onsets.std(correction=0) + 1e-3
    again = torch.fft.irfft(torch.fft.rfft(onsets, 2 * len(onsets)).abs() ** 2)
    first, last = (int(seconds * frames) for seconds in PULSE_SECONDS)
    beats = torch.nn.functional.pad(again[: len(onsets)], (0, last))[first:last]
    centred = bands - bands.mean(0)
    waves = (torch.fft.rfft(centred, dim=0).abs() ** 2).sum(1)
    hertz = torch.linspace(0, frames / 2, len(waves), device=bands.device)
    edges = [int((hertz < low).sum()) for low in MODULATIONS]
    parts = [waves[a:b].sum() for a, b in zip(edges, [*edges[1:], len(waves)], strict=True)]
    shares = torch.stack(parts) / (waves.sum() + 1e-3)
    extra = [(onsets**3).mean() / spread**3, beats.amax() / (again[0] + 1e-3)]
    return torch.cat([_by_region(steps.abs().mean(0)), torch.stack(extra), (shares + 1e-3).log10()])


def _again(values: Tensor, lags: tuple[int, ...]) -> Tensor:
    """How similar frames are to those so many frames later: correlations (lag,)."""
    energy = (values**2).mean() + 1e-3
    pairs = [(values[lag:], values[: max(len(values) - lag, 0)]) for lag in lags]
    return torch.stack([(a * b).mean() if len(a) > 4 else energy * 0 for a, b in pairs]) / energy


def _correlation(bands: Tensor) -> Tensor:
    """How similar bands remain over time, and how far they move together."""
    centred = bands - bands.mean(0)
    floor = 1e-2 * torch.eye(BANDS, device=bands.device)
    shares = torch.linalg.eigvalsh(centred.T @ centred / len(bands) + floor)
    shares = shares / shares.sum()
    together = torch.stack([shares[-1], -(shares**2).sum().log()])
    return torch.cat([_again(centred, BAND_LAGS), together])


def _flatness(power: Tensor, logs: Tensor) -> Tensor:
    """Log ratio of geometric to arithmetic mean in three regions: its mean and deviation."""
    edges = [edge - LOWEST for edge in REGIONS]
    means = torch.stack([power[:, a:b].mean(1) for a, b in pairwise(edges)])
    flat = torch.stack([logs[:, a:b].mean(1) for a, b in pairwise(edges)]) - means.log10()
    return torch.cat([flat.mean(1), flat.std(1, correction=0)])


def _tonality(logs: Tensor) -> Tensor:
    """How far peaks stand out from their neighbours, and whether they remain over time."""
    logs = logs[:, : TONAL - LOWEST]
    far = 2 * NEIGHBOUR
    peaks = logs[:, NEIGHBOUR:-NEIGHBOUR] - (logs[:, far:] + logs[:, :-far]) / 2
    energy = (peaks**2).mean() + 1e-4
    steady = (peaks.mean(0) ** 2).mean() / energy
    return torch.cat([torch.stack([energy.sqrt(), steady]), _again(peaks, BIN_LAGS)])


def _dynamics(level: Tensor) -> Tensor:
    """Distances between quantiles of the level, and the share of quiet frames."""
    low, middle, high = level.quantile(torch.tensor(QUANTILES, device=level.device))
    quiet = [(level < high - below).float().mean() for below in QUIET]
    return torch.stack([-high, high - middle, middle - low, *quiet])
