"""What a head may see of a dataset: features by track and clip, genres, artists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mgc.errors import MgcError
from mgc.heads.pooling import Pooling, fit_pooling
from mgc.plugins.contract import FeatureKind, FeatureShape

#: One track: its clips, each (feature, frame), (feature,) or (layer, feature).
Clips = Sequence[np.ndarray] | np.ndarray


@dataclass(frozen=True)
class TrackData:
    """Features of all tracks of a dataset, with genre and group numbers (track,).

    ``unit`` is the extractor's, which decides how sequences are pooled.
    ``features`` may be lazy and memory-mapped: it is read track by track, by index. They are pooled
    already if ``learnt`` is there: the pooling, learnt from the tracks to be trained on.
    """

    kind: FeatureKind
    features: Sequence[Clips]
    genres: np.ndarray
    groups: np.ndarray
    n_genres: int
    unit: str = ""
    learnt: Pooling | None = None
    _vectors: dict[str, dict[int, np.ndarray]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def pooling(self, train: np.ndarray) -> Pooling:
        """The pooling learnt from the clips of the training tracks."""
        if self.learnt is not None:
            return self.learnt
        clips = (clip for track in train for clip in self.features[track])
        return fit_pooling(self.kind, clips, self.unit)

    def inputs(self, tracks: np.ndarray, pooling: Pooling | None) -> Sequence[Clips]:
        """What a head gets for each of ``tracks``: its features, or (clip, dimension) float32 if
        they are pooled, which is kept until another pooling is used."""
        if pooling is None or self.learnt is not None:
            if pooling and self.learnt and pooling.digest != self.learnt.digest:
                raise MgcError(
                    "The features are pooled in another way than the head's.", "Fit again."
                )
            return ChosenTracks(self.features, tracks)
        if pooling.digest not in self._vectors:
            self._vectors.clear()
        known = self._vectors.setdefault(pooling.digest, {})
        for track in tracks:
            if track not in known:
                known[track] = pooled(pooling, self.features[track])
        return [known[track] for track in tracks]


class ChosenTracks(Sequence[Clips]):
    """Some of the tracks, read when asked for."""

    def __init__(self, features: Sequence[Clips], tracks: np.ndarray) -> None:
        self.features, self.tracks = features, tracks

    def __len__(self) -> int:
        return len(self.tracks)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self.features[track] for track in self.tracks[number]]
        return self.features[self.tracks[number]]


def pooled(pooling: Pooling, clips: Clips) -> np.ndarray:
    """(clip, dimension) float32 of one track."""
    return np.stack([pooling(clip) for clip in clips])


def shape_of(kind: FeatureKind, clip: np.ndarray) -> FeatureShape:
    """The shape that a head is built for, from one clip's feature array."""
    if kind == "layers":
        return FeatureShape(kind, clip.shape[1], clip.shape[0])
    return FeatureShape(kind, clip.shape[0])


def check_tracks(data: TrackData, training: np.ndarray) -> None:
    """Raise MgcError if the ``training`` tracks cannot be learnt from."""
    if len(training) == 0:
        raise MgcError("There are no tracks in the training part of the split.")
    if data.genres[training].min() < 0 or data.genres[training].max() >= data.n_genres:
        raise MgcError(f"A genre number of the training tracks is not in [0, {data.n_genres}).")


def check_finite(values: np.ndarray) -> None:
    """Raise MgcError if a feature of the training tracks holds NaN or infinity."""
    if not np.isfinite(values).all():
        raise MgcError(
            "The features of the training tracks hold values that are not finite.",
            "Extract them again: mgc features clear, then the same command again.",
        )
