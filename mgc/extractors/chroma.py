"""Chroma: energy in the twelve pitch classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import librosa
import numpy as np
import torch
from torch import Tensor

from mgc.clips import Clips
from mgc.extractors.mel import HOP

# Where librosa.piptrack looks for spectral peaks when it estimates the tuning.
LOWEST_PEAK, HIGHEST_PEAK = 150.0, 4000.0  # Hz
PEAK_THRESHOLD = 0.1  # of the frame's strongest bin
TUNING_STEPS = 100  # a hundredth of a semitone each


@dataclass(frozen=True)
class ChromaParams:
    """``tuning`` is the deviation from A = 440 Hz in bins; None estimates it for each clip."""

    n_chroma: int = 12
    n_fft: int = 2048
    tuning: float | None = None


class Chroma:
    """Equal to ``librosa.feature.chroma_stft`` with its defaults (each frame's maximum is 1)."""

    Params = ChromaParams

    def __init__(self, params: ChromaParams, device: str) -> None:
        self.params = params
        self.device = device

    def __call__(self, clips: Clips) -> Tensor:
        """(clip, pitch class, frame) float32 in [0, 1]; 1 is the frame's strongest class."""
        p = self.params
        power = clips.power_spectrum(p.n_fft, HOP)
        counts = clips.frame_counts(HOP).tolist()
        rows = []
        for spectrum, count in zip(power, counts, strict=True):
            tuning = p.tuning
            if tuning is None:
                tuning = estimate_tuning(spectrum[:count], clips.sample_rate, p.n_fft, p.n_chroma)
            bands = _chroma_bands(clips.sample_rate, p.n_fft, p.n_chroma, tuning)
            rows.append(spectrum @ bands.to(clips.device))
        return _peak_normalised(torch.stack(rows)).transpose(1, 2)


def _peak_normalised(chroma: Tensor) -> Tensor:
    """Divide each frame by its largest value; a silent frame stays as it is (librosa's rule)."""
    peak = chroma.amax(dim=-1, keepdim=True)
    return chroma / peak.where(peak >= torch.finfo(torch.float32).tiny, torch.ones_like(peak))


@lru_cache(maxsize=2 * TUNING_STEPS)
def _chroma_bands(rate: int, n_fft: int, n_chroma: int, tuning: float) -> Tensor:
    """librosa's chroma filters for one tuning, (bin, pitch class) float32."""
    bands = librosa.filters.chroma(sr=rate, n_fft=n_fft, n_chroma=n_chroma, tuning=tuning)
    return torch.from_numpy(np.ascontiguousarray(bands.T))


def estimate_tuning(power: Tensor, rate: int, n_fft: int, n_chroma: int) -> float:
    """How far the music stands from A = 440 Hz, in fractions of a bin in [-0.5, 0.5).

    ``power`` is (frame, bin). The method is ``librosa.estimate_tuning`` (peaks by parabolic
    interpolation, the louder half of them, the fullest hundredth), looking only at the bins that
    can hold a peak.
    """
    frequencies = librosa.fft_frequencies(sr=rate, n_fft=n_fft)
    inside = np.nonzero((frequencies >= LOWEST_PEAK) & (frequencies < HIGHEST_PEAK))[0]
    low, high = max(int(inside[0]), 1), min(int(inside[-1]) + 1, power.shape[1] - 1)
    centre, left, right = power[:, low:high], power[:, low - 1 : high - 1], power[:, low + 1 : high + 1]
    floor = PEAK_THRESHOLD * power.amax(dim=1, keepdim=True)
    peaks = (centre > floor) & (centre > left.where(left > floor, 0)) & (centre >= right.where(right > floor, 0))
    frame, offset = torch.nonzero(peaks, as_tuple=True)
    if not len(frame):
        return 0.0
    here, before, after = centre[peaks], left[peaks], right[peaks]
    slope, bend = (after - before) / 2, after + before - 2 * here
    shift = torch.where(slope.abs() >= bend.abs(), 0, -slope / bend)
    pitch = ((offset + low + shift) * (rate / n_fft)).cpu().numpy().astype(np.float64)
    magnitude = (here + 0.5 * slope * shift).cpu().numpy()
    return float(_fullest_step(pitch[magnitude >= np.median(magnitude)], n_chroma))


def _fullest_step(pitch: np.ndarray, n_chroma: int) -> np.float64:
    """The most frequent deviation of ``pitch`` (Hz) from the tempered scale (pitch_tuning)."""
    residual = np.mod(n_chroma * librosa.hz_to_octs(pitch), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts, edges = np.histogram(residual, np.linspace(-0.5, 0.5, TUNING_STEPS + 1))
    return edges[np.argmax(counts)]
