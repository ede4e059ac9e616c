"""The parameters of mel, mfcc and chroma; it imports nothing slow, so that wrong values are refused
at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mgc.plugins.params import PositiveFloat, PositiveInt

NYQUIST = 11_025.0  # Hz: half the rate that mgc.plugins.builtin declares


@dataclass(frozen=True)
class MelParams:
    """Parameters, with librosa's names.

    ``fmax`` None is half the sample rate. ``top_db`` clips values that far below a clip's loudest
    cell; ``ref`` is 0 dB: ``one`` (full-scale power 1, so loudness is kept) or ``max`` (the clip's
    loudest cell).
    """

    n_mels: PositiveInt = 128
    n_fft: PositiveInt = 2048
    fmin: float = 0.0
    fmax: float | None = None
    top_db: PositiveFloat | None = 80.0
    ref: Literal["one", "max"] = "one"

    def __post_init__(self) -> None:
        check_bands(self.n_mels, self.n_fft, self.fmin, self.fmax)
        if self.top_db is not None and self.top_db <= 0:
            raise ValueError("top_db must be above 0, or null for no floor")


@dataclass(frozen=True)
class MfccParams:
    """Parameters, with librosa's names; ``n_mels`` bands go into ``n_mfcc`` coefficients.

    ``n_mfcc`` is 40 instead of librosa's 20: the finer spectral shape, which 20 coefficients blur,
    separated genres better on both collections tested (docs/architecture.md).
    """

    n_mfcc: PositiveInt = 40
    n_mels: PositiveInt = 128
    n_fft: PositiveInt = 2048
    fmin: float = 0.0
    fmax: float | None = None

    def __post_init__(self) -> None:
        check_bands(self.n_mels, self.n_fft, self.fmin, self.fmax)
        if not 1 <= self.n_mfcc <= self.n_mels:
            raise ValueError(f"n_mfcc must be 1 to n_mels = {self.n_mels}")


@dataclass(frozen=True)
class ChromaParams:
    """``tuning`` is the deviation from A = 440 Hz in bins; None estimates it for each clip."""

    n_chroma: PositiveInt = 12
    n_fft: PositiveInt = 2048
    tuning: float | None = None

    def __post_init__(self) -> None:
        check_n_fft(self.n_fft)
        if not 1 <= self.n_chroma <= 120:
            raise ValueError("n_chroma must be 1 to 120 bins per octave")
        if self.tuning is not None and abs(self.tuning) > self.n_chroma:
            raise ValueError("tuning must be at most an octave, n_chroma bins")


def check_bands(n_mels: int, n_fft: int, fmin: float, fmax: float | None) -> None:
    """Raise ValueError for parameters that give no mel bands."""
    check_n_fft(n_fft)
    if not 1 <= n_mels <= n_fft // 2:
        raise ValueError(f"n_mels must be 1 to n_fft / 2 = {n_fft // 2}")
    if not 0 <= fmin < min(NYQUIST, NYQUIST if fmax is None else fmax):
        raise ValueError(f"the band from fmin to fmax (Hz), or {NYQUIST:g} Hz, is empty")


def check_n_fft(n_fft: int) -> None:
    """Raise ValueError for a window that cannot be transformed."""
    if n_fft % 2 or not 16 <= n_fft <= 65_536:
        raise ValueError("n_fft must be even, 16 to 65536")
