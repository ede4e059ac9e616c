"""Constant-Q and variable-Q transforms, with filters that are built once.

The method is librosa's, after Schörkhuber and Klapuri, "Constant-Q transform toolbox for music
processing" (2010): the filters of one octave, applied as a matrix to a spectrum; then the sample
rate is halved, and the same filters hear the octave below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import librosa
import numpy as np
import torch
from torch import Tensor

from mgc import UsageError
from mgc.audio.clips import Clips
from mgc_cqt.plugin import HOP, RATE

C1 = 32.703195662574764  # Hz
MIN_POWER = 1e-10  # librosa's amin: -100 dB
SPARSITY = 0.01  # as in librosa: the share of a filter's magnitude that is left out


@dataclass(frozen=True)
class CqtParams:
    """``fmin``: frequency in Hz of the lowest of ``n_bins``; ``tuning``: in bins, None estimates it
    for each clip; values more than ``top_db`` below a clip's loudest cell are clipped."""

    fmin: float = C1
    n_bins: int = 84
    bins_per_octave: int = 12
    tuning: float | None = 0.0
    top_db: float | None = 80.0

    def __post_init__(self) -> None:
        """Raise UsageError if a filter would lie above half the sample rate."""
        if self.n_bins < 1 or self.bins_per_octave < 1 or not self.fmin > 0:
            raise UsageError("fmin, n_bins and bins_per_octave must be above 0.")
        _, highest = _lengths(self, self.filter_gamma, RATE)
        if highest > RATE / 2:
            raise UsageError(
                f"{self.n_bins} bins from {self.fmin:.1f} Hz go up to {highest:,.0f} Hz; at "
                f"{RATE:,} Hz there is nothing above {RATE // 2:,} Hz.",
                "Lower n_bins or fmin.",
            )

    @property
    def filter_gamma(self) -> float | None:
        """The bandwidth in Hz added to every filter; None is that of human hearing."""
        return 0.0


@dataclass(frozen=True)
class VqtParams(CqtParams):
    """As for cqt; ``gamma`` Hz are added to the bandwidth of every filter (0 gives the cqt); None
    makes the bandwidth proportional to the critical bands of hearing."""

    gamma: float | None = None

    @property
    def filter_gamma(self) -> float | None:
        """See `CqtParams.filter_gamma`."""
        return self.gamma


class Cqt:
    """Equal to ``librosa.amplitude_to_db(abs(librosa.cqt(…)), ref=1.0)``."""

    Params: type = CqtParams

    def __init__(self, params: CqtParams, device: str) -> None:
        self.params = params

    def __call__(self, clips: Clips) -> Tensor:
        """(clip, bin, frame) float32, dB; bins from low to high."""
        rows = [
            self._decibel(wave[:length]).to(clips.device)
            for wave, length in zip(clips.waves, clips.lengths.tolist(), strict=True)
        ]
        padded = torch.nn.utils.rnn.pad_sequence([row.T for row in rows], batch_first=True)
        return padded.transpose(1, 2)

    def _decibel(self, wave: Tensor) -> Tensor:
        p = self.params
        tuning = p.tuning
        if tuning is None:
            samples = wave.cpu().numpy()
            tuning = librosa.estimate_tuning(y=samples, sr=RATE, bins_per_octave=p.bins_per_octave)
        power = constant_q(wave, filters(p, float(tuning))).abs().square()
        decibel = 10.0 * torch.log10(power.clamp(min=MIN_POWER))
        return decibel if p.top_db is None else decibel.clamp(min=decibel.max() - p.top_db)


class Vqt(Cqt):
    """Equal to ``librosa.amplitude_to_db(abs(librosa.vqt(…)), ref=1.0)``."""

    Params = VqtParams


@dataclass(frozen=True)
class Octave:
    """The filters of one octave: (bin, frequency) complex64 on spectra of ``n_fft`` samples."""

    n_fft: int
    hop: int
    matrix: Tensor


@dataclass(frozen=True)
class Filters:
    """Octaves from high to low; the sample rate is first halved ``halvings`` times, and again after
    each octave whose successor has half its hop."""

    halvings: int
    octaves: tuple[Octave, ...]


def constant_q(wave: Tensor, bank: Filters) -> Tensor:
    """One clip (sample,) float32 → complex (bin, frame), bins from low to high."""
    device = wave.device
    samples = _decimated(wave.cpu().numpy(), 2**bank.halvings)
    parts: list[Tensor] = []
    hop = bank.octaves[0].hop
    for octave in bank.octaves:
        if octave.hop != hop:
            samples, hop = _decimated(samples, 2), octave.hop
        parts.append(octave.matrix.to(device) @ _spectrum(samples, octave, device))
    frames = min(part.shape[1] for part in parts)
    return torch.cat([part[:, :frames] for part in reversed(parts)])


def _decimated(samples: np.ndarray, factor: int) -> np.ndarray:
    """A lower rate with the same energy (soxr, high quality), as in librosa."""
    if factor == 1:
        return samples
    return librosa.resample(samples, orig_sr=factor, target_sr=1, res_type="soxr_hq", scale=True)


def _spectrum(samples: np.ndarray, octave: Octave, device: torch.device) -> Tensor:
    """Spectra without a window (the filters bring theirs), (frequency, frame) complex64."""
    wave = torch.from_numpy(np.ascontiguousarray(samples)).to(device)
    return torch.stft(
        wave,
        octave.n_fft,
        octave.hop,
        window=torch.ones(octave.n_fft, device=device),
        pad_mode="constant",
        return_complex=True,
    )


@lru_cache(maxsize=128)  # one per estimated tuning, in steps of a hundredth of a bin
def filters(params: CqtParams, tuning: float) -> Filters:
    """All filters for the parameters; building them takes longer than using them."""
    octaves = -(-params.n_bins // params.bins_per_octave)
    gamma = params.filter_gamma
    _, highest = _lengths(params, gamma, RATE, tuning)
    halvings = _halvings(RATE / 2, highest, octaves)
    rate, hop = RATE / 2**halvings, HOP // 2**halvings
    lengths, _ = _lengths(params, gamma, rate, tuning)
    frequencies = _frequencies(params, tuning)
    alpha = _relative_bandwidths(frequencies, params.bins_per_octave)
    made, own_rate = [], rate
    for number in range(octaves):
        stop = params.n_bins - number * params.bins_per_octave
        part = slice(max(0, stop - params.bins_per_octave), stop)
        matrix, n_fft = _matrix(frequencies[part], own_rate, gamma, alpha[part])
        matrix *= np.sqrt(rate / own_rate) / np.sqrt(lengths[part, None])
        made.append(Octave(n_fft, hop, torch.from_numpy(matrix.astype(np.complex64))))
        if hop % 2 == 0:
            hop, own_rate = hop // 2, own_rate / 2
    return Filters(halvings, tuple(made))


def _matrix(
    frequencies: np.ndarray, rate: float, gamma: float | None, alpha: np.ndarray
) -> tuple[np.ndarray, int]:
    """librosa's wavelets in the frequency domain, without their smallest entries."""
    own: Any = {"gamma": gamma, "alpha": alpha}  # librosa accepts more than it declares
    basis, lengths = librosa.filters.wavelet(
        freqs=frequencies, sr=rate, norm=1, window="hann", **own
    )
    n_fft = basis.shape[1]
    spectra = np.fft.fft(basis * (lengths[:, None] / n_fft), axis=1)[:, : n_fft // 2 + 1]
    return librosa.util.sparsify_rows(spectra, quantile=SPARSITY).toarray(), n_fft


def _frequencies(params: CqtParams, tuning: float = 0.0) -> np.ndarray:
    lowest = params.fmin * 2.0 ** (tuning / params.bins_per_octave)
    frequencies: np.ndarray = librosa.cqt_frequencies(
        n_bins=params.n_bins, fmin=lowest, bins_per_octave=params.bins_per_octave
    )
    return frequencies


def _lengths(
    params: CqtParams, gamma: float | None, rate: float, tuning: float = 0.0
) -> tuple[np.ndarray, float]:
    """The number of samples of each filter, and the highest frequency that any of them passes."""
    frequencies = _frequencies(params, tuning)
    alpha = _relative_bandwidths(frequencies, params.bins_per_octave)
    lengths, highest = librosa.filters.wavelet_lengths(
        freqs=frequencies, sr=rate, window="hann", gamma=gamma, alpha=alpha
    )
    return lengths, float(highest)


def _relative_bandwidths(frequencies: np.ndarray, bins_per_octave: int) -> np.ndarray:
    """A filter's bandwidth relative to its frequency; the same for all bins of a tempered scale."""
    ratio = 2.0 ** (2.0 / bins_per_octave)
    return np.full(len(frequencies), (ratio - 1) / (ratio + 1))


def _halvings(nyquist: float, highest: float, octaves: int) -> int:
    """How often the rate can be halved before the first octave without losing anything."""
    by_frequency = max(0, int(np.ceil(np.log2(nyquist / highest)) - 1) - 1)
    twos = (HOP & -HOP).bit_length() - 1
    return min(by_frequency, max(0, twos - octaves + 1))
