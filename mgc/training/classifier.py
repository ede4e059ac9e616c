"""A gradient head with the normalisation of its features, as one torch module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mgc.heads.pooling import fit_pooling
from mgc.plugins.contract import FeatureKind, FeatureShape
from mgc.training.track_data import check_finite, shape_of

MIN_DEVIATION = 1e-4  # a row that never changes stays at 0 instead of being blown up


class Classifier(nn.Module):
    """Normalised features → logits and embedding.

    ``mean`` and ``scale`` have the shape of a clip with one frame: (feature, 1), (feature,) or
    (layer, feature). With a ``basis`` (component, feature) the rows of a sequence are projected
    onto it. All three are saved with the weights.
    """

    mean: Tensor
    scale: Tensor
    basis: Tensor

    def __init__(self, head: Any, normalisation: Normalisation) -> None:
        super().__init__()
        self.head = head
        for name, tensor in asdict(normalisation).items():
            self.register_buffer(name, tensor)

    def normalise(self, features: Tensor) -> Tensor:
        """Raw features (clip, …) of any float type → float32 with mean 0 and deviation 1 per
        row."""
        scaled = (features.float() - self.mean) / self.scale
        return self.basis @ scaled if len(self.basis) else scaled

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features and valid frames (clip,) → logits (clip, genre), embedding."""
        embedding = self.head.embed(features, lengths)
        return self.head.classify(embedding), embedding


@dataclass(frozen=True)
class Normalisation:
    """See `Classifier`; a ``basis`` of shape (0, 0) means none."""

    mean: Tensor
    scale: Tensor
    basis: Tensor

    def shape(self, clip: np.ndarray, kind: FeatureKind) -> FeatureShape:
        """The shape that the head is built for, from one clip's raw feature."""
        shape = shape_of(kind, clip)
        return replace(shape, features=len(self.basis)) if len(self.basis) else shape


def fit_normalisation(
    kind: FeatureKind, clips: Sequence[np.ndarray], whiten: bool
) -> Normalisation:
    """Mean and deviation of each feature row over all frames of all ``clips``, or whitening.

    Raises MgcError if a value is not finite.
    """
    count, total, squares = _sums(kind, clips)
    check_finite(total)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    deviation[deviation < MIN_DEVIATION] = 1.0
    basis = np.zeros((0, 0))
    if whiten and kind == "sequence":
        pooling = fit_pooling(kind, clips)
        mean, deviation, basis = pooling.mean, np.ones(1), pooling.components
    if kind == "sequence":
        mean, deviation = mean[:, None], deviation[:, None]
    parts = (mean, deviation, basis)
    return Normalisation(*(torch.from_numpy(np.ascontiguousarray(p, np.float32)) for p in parts))


def _sums(kind: FeatureKind, clips: Sequence[np.ndarray]) -> tuple[int, np.ndarray, np.ndarray]:
    """The number of frames (clips, if there is no time axis), and for each row the sum and the sum
    of squares; a value that is not finite makes its sum not finite."""
    count, total, squares = 0, np.zeros(()), np.zeros(())
    for clip in clips:
        values = np.asarray(clip, np.float32)
        frames = values if kind == "sequence" else values[..., None]
        count += frames.shape[-1]
        total = total + frames.sum(-1, dtype=np.float64)
        squares = squares + np.einsum("...t,...t->...", frames, frames, dtype=np.float64)
    return count, total, squares
