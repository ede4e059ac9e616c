"""Pooled statistics: a feature sequence of any length as one vector of numbers.

Two steps. A whitening PCA, learnt from training frames only, turns the rows of any extractor (12
chroma, 128 mel bands, 512 Whisper states) into at most 40 uncorrelated rows of unit variance.
Then every row is described by its moments, and the leading rows also by how they move together and
how fast they change. Statistics of correlated rows repeat the same information; each statistic of
decorrelated rows adds something new.

An encoder's states are pooled to the mean of each row over time instead: whitening would keep 40 of
their hundreds of rows, and loses on three collections (see docs/measurement.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mgc.plugins.contract import FeatureKind

COMPONENTS = 40  # rows kept; more adds noise dimensions, fewer loses timbre
LEADING = 20  # rows with correlations and modulations: 190 + 120 numbers
FRAME_STEP = 10  # every tenth frame is enough to estimate the covariance
MODULATION_WINDOW = 256  # frames; 5.9 s at 22,050 Hz and a hop of 512: the slowest band is 0.17 Hz
MODULATION_BANDS = 6  # geometric, from 1 / window to 1 / 2 cycles per frame
MIN_POWER = 1e-8
EMBEDDING = "embedding"  # the unit of an encoder's states
REVISION = 1  # raise it if the pooling or the statistics become others: stored ones are made again


@dataclass(frozen=True)
class Pooling:
    """Turns one clip's feature, of any kind, into a vector; learnt by `fit_pooling`.

    ``mean`` (feature,) and ``components`` (component, feature) are the whitening PCA of a
    sequence's frames; both are empty for an encoder's states and for features that are already
    vectors.
    """

    kind: FeatureKind
    mean: np.ndarray
    components: np.ndarray

    def __call__(self, feature: np.ndarray) -> np.ndarray:
        """One clip's (feature, frame), (feature,) or (layer, feature) → float32 (dimension,)."""
        if self.kind != "sequence":
            return np.asarray(feature, np.float32).ravel()
        if not len(self.components):
            return np.asarray(feature.mean(1, dtype=np.float32))
        frames = np.asarray(feature, np.float32) - self.mean[:, None]
        return statistics(self.components @ frames)

    def state(self) -> Mapping[str, np.ndarray]:
        """The learnt arrays by name."""
        return {"mean": self.mean, "components": self.components}

    @classmethod
    def plain(cls, kind: FeatureKind) -> Pooling:
        """The pooling that learns nothing: the mean over time of a sequence."""
        return cls(kind, np.zeros(0, np.float32), np.zeros((0, 0), np.float32))

    @cached_property
    def digest(self) -> str:
        """A hash of what was learnt."""
        content = b"".join(array.tobytes() for array in self.state().values())
        return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class FrameSums:
    """How many frames there are of some clips (every tenth), their sum (feature,) and that of their
    products (feature, feature)."""

    count: int = 0
    total: np.ndarray | float = 0.0
    outer: np.ndarray | float = 0.0

    @classmethod
    def of(cls, clip: np.ndarray) -> FrameSums:
        """The sums of one clip (feature, frame)."""
        frames = np.asarray(clip[:, ::FRAME_STEP], np.float64)
        return cls(frames.shape[1], frames.sum(1), frames @ frames.T)

    def __add__(self, other: FrameSums) -> FrameSums:
        return FrameSums(
            self.count + other.count, self.total + other.total, self.outer + other.outer
        )

    def pooling(self) -> Pooling:
        """The whitening PCA of these frames."""
        mean = np.asarray(self.total / self.count)
        variance, axes = np.linalg.eigh(self.outer / self.count - np.outer(mean, mean))
        keep = np.argsort(variance)[::-1][:COMPONENTS]
        # The floor keeps directions without signal (silence, dead bands) from being blown up.
        scale = np.sqrt(np.maximum(variance[keep], 1e-6 * variance.max() + 1e-12))
        components = (axes[:, keep] / scale).T.astype(np.float32)
        return Pooling("sequence", mean.astype(np.float32), components)


def fit_pooling(kind: FeatureKind, clips: Iterable[np.ndarray], unit: str = "") -> Pooling:
    """Learn the whitening PCA from clips of the training split (nothing for vectors and for the
    unit `EMBEDDING`).

    ``clips`` are (feature, frame) arrays of any length; the covariance is that of every tenth
    frame of all of them.
    """
    if kind != "sequence" or unit == EMBEDDING:
        return Pooling.plain(kind)
    return sum(map(FrameSums.of, clips), FrameSums()).pooling()


def statistics(rows: np.ndarray) -> np.ndarray:
    """(row, frame), any number of frames → float32 vector of moments, correlations, modulations."""
    centred = rows - rows.mean(1, keepdims=True)
    unit = centred / (centred.std(1, keepdims=True) + 1e-6)
    parts = [
        rows.mean(1),
        moments(centred, unit),
        correlations(unit[:LEADING]),
        modulations(centred[:LEADING]),
    ]
    return np.concatenate(parts, dtype=np.float32)


def moments(centred: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """For each row: deviation, deviation of the step between frames, skewness, kurtosis."""
    square = unit * unit
    step = np.diff(centred, axis=1).std(1) if centred.shape[1] > 1 else np.zeros(len(centred))
    return np.concatenate([centred.std(1), step, (square * unit).mean(1), (square**2).mean(1)])


def correlations(unit: np.ndarray) -> np.ndarray:
    """Correlation over time of each pair of rows: which parts of the spectrum move together."""
    return np.asarray((unit @ unit.T / unit.shape[1])[np.triu_indices(len(unit), 1)])


def modulations(centred: np.ndarray) -> np.ndarray:
    """Log power of each row in bands of modulation frequency: rhythm.

    Fluctuation patterns after Pampalk, Rauber and Merkl (2002), by Welch's method: half
    overlapping Hann windows of `MODULATION_WINDOW` frames; a shorter sequence is padded.
    """
    missing = max(0, MODULATION_WINDOW - centred.shape[1])
    padded = np.pad(centred, ((0, 0), (0, missing)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, MODULATION_WINDOW, axis=1)
    windows = windows[:, :: MODULATION_WINDOW // 2]
    windows = (windows - windows.mean(2, keepdims=True)) * HANN
    power = (np.abs(np.fft.rfft(windows, axis=2)) ** 2).mean(1)
    return np.log(np.add.reduceat(power, BAND_EDGES, axis=1) + MIN_POWER).ravel()


HANN = np.hanning(MODULATION_WINDOW).astype(np.float32)
BAND_EDGES = np.unique(
    np.geomspace(1, MODULATION_WINDOW // 2 + 1, MODULATION_BANDS + 1).round().astype(int)
)[:-1]
