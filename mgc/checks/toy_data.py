"""Made-up collections that any head can learn: one cloud of points per genre."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mgc.plugins.contract import FeatureKind
from mgc.training.track_data import TrackData

GENRES = 3
FEATURES = 12
FRAMES = 60
LAYERS = 3
SPREAD = 3.0  # between the centres of two genres, in deviations within a genre


class Vectors(NamedTuple):
    """Pooled features (clip, feature) float32 with genre and artist numbers (clip,)."""

    features: np.ndarray
    genres: np.ndarray
    groups: np.ndarray

    def without(self, genre: int) -> Vectors:
        """The same without one genre."""
        kept = self.genres != genre
        return Vectors(*(array[kept] for array in self))


def vectors(seed: int = 0, count: int = 90) -> Vectors:
    """``count`` clips of three genres, five artists each. The genres' centres are always the
    same: another seed gives other songs of the same genres."""
    random = np.random.default_rng(seed)
    genres = np.arange(count) % GENRES
    features = random.standard_normal((count, FEATURES))
    features[:, :GENRES] += SPREAD * np.eye(GENRES)[genres]
    groups = genres * 5 + random.integers(0, 5, count)
    return Vectors((features * 7 + 100).astype(np.float32), genres, groups)


def tracks(kind: FeatureKind, seed: int = 0, count: int = 48) -> TrackData:
    """The same as tracks of one clip each, in the shape of a kind of feature."""
    made = vectors(seed, count)
    features = made.features
    if kind != "vector":
        shape = (count, FEATURES, FRAMES if kind == "sequence" else LAYERS)
        noise = np.random.default_rng(seed + 1000).standard_normal(shape)
        features = (features[:, :, None] + 7 * noise).astype(np.float32)
    if kind == "layers":
        features = features.transpose(0, 2, 1)
    return TrackData(kind, [[clip] for clip in features], made.genres, made.groups, GENRES)
