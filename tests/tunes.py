"""Made-up features for tests of heads and of the trainer: tracks whose genre can be learnt."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgc.plugins.contract import FeatureKind
from mgc.training.track_data import TrackData


def track_data(
    kind: FeatureKind = "sequence",
    *,
    tracks: int = 48,
    genres: int = 3,
    features: int = 20,
    frames: tuple[int, int] = (60, 90),
    clips: int = 1,
    strength: float = 1.0,
    seed: int = 0,
    dtype: Any = np.float16,
) -> TrackData:
    """Noise plus a pattern of the genre, over the feature rows and over time."""
    rng = np.random.default_rng(seed)
    labels = np.arange(tracks) % genres
    patterns = np.random.default_rng(99).normal(size=(genres, features))

    def clip(genre: int) -> np.ndarray:
        pattern = strength * patterns[genre]
        if kind == "vector":
            return (pattern + rng.normal(size=features)).astype(dtype)
        if kind == "layers":
            # Only the last of four layers tells the genre.
            layers = rng.normal(size=(4, features))
            layers[3] += pattern
            return layers.astype(dtype)
        length = int(rng.integers(*frames))
        beat = 1 + np.sin(np.arange(length) * (genre + 1) / 3)
        noise = rng.normal(size=(features, length))
        return (noise + pattern[:, None] * beat).astype(dtype)

    made = [[clip(int(genre)) for _ in range(clips)] for genre in labels]
    return TrackData(kind, made, labels, np.arange(tracks), genres)


def split(data: TrackData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Track numbers: three quarters to train on, an eighth each to validate and to test on."""
    numbers = np.arange(len(data.features))
    eighth = len(numbers) // 8
    return numbers[: -2 * eighth], numbers[-2 * eighth : -eighth], numbers[-eighth:]
