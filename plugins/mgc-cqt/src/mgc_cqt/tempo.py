"""Tempogram: the autocorrelation of onset strength, read off at tempi.

Grosche, Müller and Kurth, "Cyclic tempogram: a mid-level tempo representation for music signals"
(2010); the numbers before the tempi are those of ``librosa.feature.tempogram``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import librosa
import numpy as np
import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from mgc.audio.clips import Clips
from mgc_cqt.plugin import HOP, RATE

N_FFT = 2048  # of the spectrum whose rises are onsets; librosa's default
MIN_POWER = 1e-10
TOP_DB = 80.0
SLOWEST, FASTEST = 30.0, 300.0  # beats a minute
#: Frames by which librosa delays the onsets: one for the difference, then the frame's centre.
DELAY = 1 + N_FFT // (2 * HOP)


@dataclass(frozen=True)
class TempogramParams:
    """``win_length``: frames of onset strength in which a tempo is heard (384 are 8.9 s);
    ``tempi``: how many, in equal ratios from 30 to 300 beats a minute; 0 keeps every lag."""

    win_length: PositiveInt = 384
    tempi: NonNegativeInt = 60


class Tempogram:
    """With ``tempi=0`` equal to ``librosa.feature.tempogram``."""

    Params = TempogramParams

    def __init__(self, params: TempogramParams, device: str) -> None:
        self.params = params

    def __call__(self, clips: Clips) -> Tensor:
        """(clip, tempo or lag, frame) float32; each frame's largest autocorrelation is 1."""
        power = clips.power_spectrum(N_FFT, HOP)
        counts = clips.frame_counts(HOP).tolist()
        rows = [self._row(own[:count]) for own, count in zip(power, counts, strict=True)]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).transpose(1, 2)

    def _row(self, power: Tensor) -> Tensor:
        """One clip's spectrum (frame, bin) → (frame, tempo)."""
        lags = autocorrelation(onset_strength(power), self.params.win_length)
        if not self.params.tempi:
            return lags
        return lags @ tempo_weights(self.params.win_length, self.params.tempi).to(lags.device)


def onset_strength(power: Tensor) -> Tensor:
    """By how much the mel bands rise, in dB per frame: (frame, bin) → (frame,)."""
    decibel = 10.0 * torch.log10((power @ mel_bands().to(power.device)).clamp(min=MIN_POWER))
    decibel = decibel.clamp(min=decibel.max() - TOP_DB)
    rises = decibel.diff(dim=0).clamp(min=0).mean(dim=1)
    return torch.nn.functional.pad(rises, (DELAY, 0))[: len(power)]


def autocorrelation(onsets: Tensor, length: int) -> Tensor:
    """(frame,) → (frame, lag): the autocorrelation in a Hann window around each frame, scaled to a
    maximum of 1."""
    ramps = np.pad(onsets.cpu().numpy(), length // 2, mode="linear_ramp", end_values=0)
    frames = torch.from_numpy(ramps).to(onsets.device).unfold(0, length, 1)[: len(onsets)]
    window = torch.hann_window(length, periodic=True, device=onsets.device)
    spectrum = torch.fft.rfft(frames * window, n=2 * length)
    lags = torch.fft.irfft(spectrum.abs().square(), n=2 * length)[:, :length]
    peak = lags.abs().amax(dim=1, keepdim=True)
    # A frame without any onset stays 0.
    shares: Tensor = lags / peak.where(peak >= torch.finfo(peak.dtype).tiny, torch.ones_like(peak))
    return shares


@lru_cache
def tempo_weights(length: int, tempi: int) -> Tensor:
    """(lag, tempo): reads the autocorrelation off at each tempo, between the two nearest lags."""
    tempo = np.geomspace(SLOWEST, FASTEST, tempi)
    lag = np.minimum(60.0 * RATE / HOP / tempo, length - 1)
    distance = np.abs(np.arange(length)[:, None] - lag)
    return torch.from_numpy(np.clip(1.0 - distance, 0.0, None).astype(np.float32))


@lru_cache
def mel_bands() -> Tensor:
    """librosa's mel filters, (bin, band) float32."""
    return torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=N_FFT).T.copy())
