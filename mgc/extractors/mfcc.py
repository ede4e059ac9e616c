"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from mgc.audio.clips import Clips
from mgc.extractors.mel import check_bands, mel_decibel


@dataclass(frozen=True)
class MfccParams:
    """Parameters, with librosa's names; ``n_mels`` bands go into ``n_mfcc`` coefficients.

    ``n_mfcc`` is 40 instead of librosa's 20: the finer spectral shape, which 20 coefficients blur,
    separated genres better on both collections tested (docs/architecture.md).
    """

    n_mfcc: int = 40
    n_mels: int = 128
    n_fft: int = 2048
    fmin: float = 0.0
    fmax: float | None = None

    def __post_init__(self) -> None:
        check_bands(self.n_mels, self.n_fft, self.fmin, self.fmax)
        if not 1 <= self.n_mfcc <= self.n_mels:
            raise ValueError(f"n_mfcc must be 1 to n_mels = {self.n_mels}")


class Mfcc:
    """Equal to ``librosa.feature.mfcc`` with the same ``n_mfcc`` (DCT-II, orthonormal)."""

    Params = MfccParams

    def __init__(self, params: MfccParams, device: str) -> None:
        self.params = params
        self.device = device

    def __call__(self, clips: Clips) -> Tensor:
        """(clip, coefficient, frame) float32."""
        p = self.params
        decibel = mel_decibel(clips, p.n_mels, p.n_fft, p.fmin, p.fmax, top_db=80.0)
        return _dct(p.n_mels, p.n_mfcc).to(clips.device) @ decibel

    def feature_axis(self, sample_rate: int) -> tuple[str, list[float]]:
        """The coefficients' numbers; 0 is loudness."""
        return "coefficient", [float(number) for number in range(self.params.n_mfcc)]


@lru_cache
def _dct(n_mels: int, n_mfcc: int) -> Tensor:
    """The orthonormal DCT-II as a matrix (coefficient, band) float32.

    Our own code: librosa's way (scipy.fft) is not a matrix that runs on a GPU, and torchaudio would
    have to be imported for these four lines.
    """
    band, coefficient = np.arange(n_mels), np.arange(n_mfcc)[:, None]
    basis = np.sqrt(2 / n_mels) * np.cos(np.pi / n_mels * (band + 0.5) * coefficient)
    basis[0] = np.sqrt(1 / n_mels)
    return torch.from_numpy(basis.astype(np.float32))
