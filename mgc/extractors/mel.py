"""Log-mel spectrogram."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import librosa
import torch
from torch import Tensor

from mgc.clips import Clips

SMALLEST_POWER = 1e-10  # librosa's amin: -100 dB


@dataclass(frozen=True)
class MelParams:
    """Parameters, with librosa's names.

    ``fmax`` None is half of the sample rate. ``top_db`` clips what lies that far below a clip's
    loudest cell; ``ref`` is 0 dB: ``one`` (full-scale power 1, so loudness is kept) or ``max``
    (the clip's loudest cell).
    """

    n_mels: int = 128
    n_fft: int = 2048
    fmin: float = 0.0
    fmax: float | None = None
    top_db: float | None = 80.0
    ref: Literal["one", "max"] = "one"


class Mel:
    """Energy in mel bands in dB, equal to ``librosa.power_to_db(librosa.feature.melspectrogram)``.

    Slaney's mel scale and area normalisation, as librosa's default. Where it differs from
    librosa's defaults: nothing but ``hop_length`` = `ExtractorInfo.hop_samples` (512, the same).
    """

    Params = MelParams

    def __init__(self, params: MelParams, device: str) -> None:
        self.params = params
        self.device = device

    def __call__(self, clips: Clips) -> Tensor:
        """(clip, mel band, frame) float32, dB."""
        p = self.params
        power = mel_power(clips, p.n_mels, p.n_fft, p.fmin, p.fmax)
        return power_to_db(power, clips, p.ref, p.top_db).transpose(1, 2)


def mel_power(clips: Clips, n_mels: int, n_fft: int, fmin: float, fmax: float | None) -> Tensor:
    """Power in mel bands (clip, frame, band), shared by all who ask with the same parameters."""

    def project() -> Tensor:
        bands = mel_bands(clips.sample_rate, n_fft, n_mels, fmin, fmax).to(clips.device)
        return clips.power_spectrum(n_fft, HOP) @ bands

    return clips.shared(("mel", n_mels, n_fft, fmin, fmax), project)


HOP = 512  # samples, as declared in mgc.builtin


@lru_cache
def mel_bands(rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> Tensor:
    """librosa's mel filters, (bin, band) float32."""
    return torch.from_numpy(
        librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax).T.copy()
    )


def power_to_db(power: Tensor, clips: Clips, ref: str, top_db: float | None) -> Tensor:
    """10 · log10(power), floored ``top_db`` below each clip's loudest cell (librosa.power_to_db).

    ``power`` is (clip, frame, band); the padding of shorter clips does not count.
    """
    decibel = 10.0 * torch.log10(power.clamp(min=SMALLEST_POWER))
    frames = torch.arange(power.shape[1], device=power.device)
    counts = clips.frame_counts(HOP).to(power.device)
    outside = (frames[None, :] >= counts[:, None])[..., None]
    peak = decibel.masked_fill(outside, -torch.inf).amax(dim=(1, 2), keepdim=True)
    if top_db is not None:
        decibel = torch.maximum(decibel, peak - top_db)
    return decibel - peak if ref == "max" else decibel
