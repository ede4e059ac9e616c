"""Log-mel spectrogram, and the cepstral coefficients (MFCC) that are made from it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mgc.audio.clips import beside, library_of
from mgc.extractors.spectral_params import MelParams, MfccParams

if TYPE_CHECKING:
    from mgc.audio.clips import Array, Clips

HOP = 512  # samples, as declared in mgc.plugins.builtin
MIN_POWER = 1e-10  # librosa's amin: -100 dB
#: Bands projected at once. Each band covers few bins, so 8 products of 16 bands over just their
#: bins take a quarter of the time of one product over everything.
GROUP_BANDS = 16
# Slaney's mel scale: linear below 1 kHz, logarithmic above.
LINEAR_HZ = 200.0 / 3  # Hz per mel
BREAK_HZ = 1_000.0
LOG_STEP = np.log(6.4) / 27.0  # natural logarithm of the frequency, per mel


class Mel:
    """Energy in mel bands in dB, equal to ``librosa.power_to_db(librosa.feature.melspectrogram)``.

    Slaney's mel scale and area normalisation, as librosa's default. All defaults are librosa's;
    ``hop_length`` is `ExtractorInfo.hop_samples` (512, also the same).
    """

    Params = MelParams

    def __init__(self, params: MelParams, device: str) -> None:
        self.params = params

    def __call__(self, clips: Clips) -> Array:
        """(clip, mel band, frame) float32, dB."""
        p = self.params
        decibel = mel_decibel(clips, p.n_mels, p.n_fft, p.fmin, p.fmax, p.top_db)
        if p.ref == "max":
            decibel = decibel - _loudest(decibel, clips)
        return decibel

    def feature_axis(self, sample_rate: int) -> tuple[str, list[float]]:
        """The centre of each band, Hz."""
        p = self.params
        return "frequency (Hz)", _edges(sample_rate, p.n_mels, p.fmin, p.fmax)[1:-1].tolist()


class Mfcc:
    """Equal to ``librosa.feature.mfcc`` with the same ``n_mfcc`` (DCT-II, orthonormal)."""

    Params = MfccParams

    def __init__(self, params: MfccParams, device: str) -> None:
        self.params = params

    def __call__(self, clips: Clips) -> Array:
        """(clip, coefficient, frame) float32."""
        p = self.params
        decibel = mel_decibel(clips, p.n_mels, p.n_fft, p.fmin, p.fmax, top_db=80.0)
        return beside(_dct(p.n_mels, p.n_mfcc), decibel) @ decibel

    def feature_axis(self, sample_rate: int) -> tuple[str, list[float]]:
        """The coefficients' numbers; 0 is loudness."""
        return "coefficient", [float(number) for number in range(self.params.n_mfcc)]


def mel_decibel(
    clips: Clips, n_mels: int, n_fft: int, fmin: float, fmax: float | None, top_db: float | None
) -> Array:
    """Mel bands in dB (clip, band, frame) float32, floored ``top_db`` below each clip's loudest
    cell (``librosa.power_to_db`` with ref 1). All callers with the same parameters share it."""

    def compute() -> Array:
        power = clips.power(n_fft, HOP)
        library = library_of(power)
        groups = _grouped_bands(clips.sample_rate, n_fft, n_mels, fmin, fmax)
        parts = [power[..., low:high] @ beside(bands, power) for low, high, bands in groups]
        decibel = library.concatenate(parts, axis=2).swapaxes(1, 2)
        library.clip(decibel, MIN_POWER, None, out=decibel)
        library.log10(decibel, out=decibel)
        decibel *= 10.0
        if top_db is not None:
            library.maximum(decibel, _loudest(decibel, clips) - top_db, out=decibel)
        return decibel

    return clips.shared(("mel dB", n_mels, n_fft, fmin, fmax, top_db), compute)


def _loudest(decibel: Array, clips: Clips) -> Array:
    """The loudest cell of each clip (clip, 1, 1); the padding of shorter clips does not count."""
    counts = clips.valid_frames(HOP)
    loudest = [clip[:, :count].max() for clip, count in zip(decibel, counts, strict=True)]
    return library_of(decibel).stack(loudest)[:, None, None]


@lru_cache(maxsize=32)
def _grouped_bands(
    rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> tuple[tuple[int, int, np.ndarray], ...]:
    """The mel filters in groups: first bin, end bin, (bin, band) of each."""
    bands = mel_bands(rate, n_fft, n_mels, fmin, fmax)
    groups = []
    for first in range(0, n_mels, GROUP_BANDS):
        part = bands[:, first : first + GROUP_BANDS]
        used = np.flatnonzero(part.any(axis=1))
        low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        groups.append((low, high, part[low:high].copy()))
    return tuple(groups)


def mel_bands(
    rate: int, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None
) -> np.ndarray:
    """Triangles of equal area on Slaney's mel scale, (bin, band) float32: ``librosa.filters.mel``.

    Our own code: it matches librosa to the bit, which torchaudio does not, and importing librosa's
    filters doubles the start-up time of a process.
    """
    edges = _edges(rate, n_mels, fmin, fmax)
    ramps = edges[:, None] - np.fft.rfftfreq(n_fft, 1.0 / rate)[None, :]
    widths = np.diff(edges)[:, None]
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    triangles *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return np.ascontiguousarray(triangles.T)


def _edges(rate: int, n_mels: int, fmin: float, fmax: float | None) -> np.ndarray:
    """The frequencies (Hz) at which the bands begin, peak and end: (band + 2,)."""
    top = rate / 2 if fmax is None else fmax
    mels = np.linspace(_mel(fmin), _mel(top), n_mels + 2)
    above = mels - BREAK_HZ / LINEAR_HZ
    return np.where(above < 0, mels * LINEAR_HZ, BREAK_HZ * np.exp(LOG_STEP * above))


def _mel(hz: float) -> float:
    if hz < BREAK_HZ:
        return hz / LINEAR_HZ
    return BREAK_HZ / LINEAR_HZ + float(np.log(hz / BREAK_HZ) / LOG_STEP)


@lru_cache
def _dct(n_mels: int, n_mfcc: int) -> np.ndarray:
    """The orthonormal DCT-II as a matrix (coefficient, band) float32.

    Our own code: librosa's way (scipy.fft) is not a matrix that runs on a GPU, and torchaudio would
    have to be imported for these four lines.
    """
    band, coefficient = np.arange(n_mels), np.arange(n_mfcc)[:, None]
    basis = np.sqrt(2 / n_mels) * np.cos(np.pi / n_mels * (band + 0.5) * coefficient)
    basis[0] = np.sqrt(1 / n_mels)
    return np.asarray(basis, np.float32)
