"""Chroma: energy in the twelve pitch classes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mgc.audio.clips import as_numpy, beside, library_of
from mgc.extractors.mel import HOP
from mgc.extractors.spectral_params import ChromaParams

if TYPE_CHECKING:
    from mgc.audio.clips import Array, Clips

A0 = 440.0 / 16  # Hz; octaves are counted from this pitch
# librosa.filters.chroma weights octaves by a bell curve with this centre and this width.
CENTRE_OCTAVE, OCTAVE_WIDTH = 5.0, 2.0
# Where librosa.piptrack looks for spectral peaks when it estimates the tuning.
LOWEST_PEAK, HIGHEST_PEAK = 150.0, 4_000.0  # Hz
PEAK_THRESHOLD = 0.1  # of the frame's strongest bin
PITCH_CLASSES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
TINY = float(np.finfo(np.float32).tiny)
TUNING_STEPS = 100  # each a hundredth of a bin


class Chroma:
    """Equal to ``librosa.feature.chroma_stft`` with its defaults (each frame's maximum is 1)."""

    Params = ChromaParams

    def __init__(self, params: ChromaParams, device: str) -> None:
        self.params = params

    def __call__(self, clips: Clips) -> Array:
        """(clip, pitch class, frame) float32 in [0, 1]; 1 is the frame's strongest class."""
        p = self.params
        power = clips.power(p.n_fft, HOP)
        rows = []
        for spectrum, count in zip(power, clips.valid_frames(HOP), strict=True):
            tuning = p.tuning
            if tuning is None:
                heard = as_numpy(spectrum[:count])
                tuning = estimate_tuning(heard, clips.sample_rate, p.n_fft, p.n_chroma)
            bands = _cached_bands(clips.sample_rate, p.n_fft, p.n_chroma, tuning)
            rows.append((spectrum @ beside(bands, spectrum)).T)
        return _peak_normalised(library_of(power).stack(rows))

    def feature_axis(self, sample_rate: int) -> tuple[str, list[str]]:
        """The pitch classes by name; finer bins than semitones by number."""
        count = self.params.n_chroma
        names = PITCH_CLASSES if count == 12 else [str(number) for number in range(count)]
        return "pitch class", list(names)


def _peak_normalised(chroma: Array) -> Array:
    """Divide each frame by its largest value; a silent frame is left unchanged, as in librosa."""
    library = library_of(chroma)
    peak = library.amax(chroma, axis=1, keepdims=True)
    return chroma / library.where(peak >= TINY, peak, 1.0)


@lru_cache(maxsize=2 * TUNING_STEPS)
def _cached_bands(rate: int, n_fft: int, n_chroma: int, tuning: float) -> np.ndarray:
    """(bin, class)."""
    return chroma_bands(rate, n_fft, n_chroma, tuning)


def chroma_bands(rate: int, n_fft: int, n_chroma: int = 12, tuning: float = 0.0) -> np.ndarray:
    """How much of each bin goes to each pitch class, starting at C: (bin, class) float32.

    ``librosa.filters.chroma`` with its defaults (D. Ellis, "Chroma feature analysis and
    synthesis", 2007): a bell around the nearest octave of the class, as wide as the bin, and a
    wider one around octave 5. ``tuning`` is in bins. This and the tuning are our own code because
    importing librosa's filters doubles the start-up time of a process, and torchaudio has no
    chroma.
    """
    bins = n_fft // 2 + 1
    frequencies = np.arange(1, bins + 1) * (rate / n_fft)
    place = n_chroma * octaves(frequencies, n_chroma, tuning)
    place = np.concatenate(([place[0] - 1.5 * n_chroma], place))  # bin 0 has no pitch
    width = np.maximum(np.diff(place), 1.0)[:, None]
    half = round(n_chroma / 2)
    away = np.mod(place[:bins, None] - np.arange(n_chroma) + half, n_chroma) - half
    weights = np.exp(-0.5 * (2 * away / width) ** 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    octave = (place[:bins, None] / n_chroma - CENTRE_OCTAVE) / OCTAVE_WIDTH
    weights *= np.exp(-0.5 * octave**2)
    return np.roll(weights, -3 * (n_chroma // 12), axis=1).astype(np.float32)  # from A to C


def octaves(frequencies: np.ndarray, n_chroma: int, tuning: float = 0.0) -> np.ndarray:
    """Hz → octaves above A0, where A = 440 Hz is moved by ``tuning`` bins."""
    return np.asarray(np.log2(frequencies / (A0 * 2.0 ** (tuning / n_chroma))))


def estimate_tuning(power: np.ndarray, rate: int, n_fft: int, n_chroma: int) -> float:
    """How far the music is from A = 440 Hz, in fractions of a bin in [-0.5, 0.5).

    ``power`` is (frame, bin). The method is ``librosa.estimate_tuning`` (peaks by parabolic
    interpolation, the louder half of them, the fullest hundredth), looking only at the bins that
    can hold a peak.
    """
    frame, peak = _peaks(power, rate / n_fft)
    if not len(frame):
        return 0.0
    here, before, after = _around(power, frame, peak)
    slope, bend = (after - before) / 2, after + before - 2 * here
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(np.abs(slope) >= np.abs(bend), 0.0, -slope / bend)
    pitch = (peak + shift) * (rate / n_fft)
    magnitude = here + 0.5 * slope * shift
    return _fullest_step(pitch[magnitude >= np.median(magnitude)], n_chroma)


def _peaks(spectrum: np.ndarray, hz_a_bin: float) -> tuple[np.ndarray, np.ndarray]:
    """Frame and bin of every local maximum that is loud in its frame."""
    bins = spectrum.shape[1]
    low = max(1, int(np.ceil(LOWEST_PEAK / hz_a_bin)))
    high = min(bins - 1, int(np.ceil(HIGHEST_PEAK / hz_a_bin)))
    loud = spectrum[:, low:high] > PEAK_THRESHOLD * spectrum.max(axis=1, keepdims=True)
    frame, offset = np.divmod(np.flatnonzero(loud), max(1, high - low))
    peak = offset + low
    here, before, after = _around(spectrum, frame, peak)
    found = (here > before) & (here >= after)
    return frame[found], peak[found]


def _around(spectrum: np.ndarray, frame: np.ndarray, peak: np.ndarray) -> tuple[np.ndarray, ...]:
    """The values at some bins, one bin below and one bin above."""
    flat, at = spectrum.reshape(-1), frame * spectrum.shape[1] + peak
    return flat[at], flat[at - 1], flat[at + 1]


def _fullest_step(pitch: np.ndarray, n_chroma: int) -> float:
    """The most frequent deviation of ``pitch`` (Hz) from the tempered scale (pitch_tuning)."""
    residual = np.mod(n_chroma * octaves(pitch, n_chroma), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts, edges = np.histogram(residual, TUNING_STEPS, (-0.5, 0.5))
    return float(edges[np.argmax(counts)])
