"""A gradient head with the normalisation of its features, as one torch module."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mgc.contract import FeatureKind
from mgc.training.data import check_finite

SMALLEST_DEVIATION = 1e-4  # a row that never changes is left at 0, not blown up


class Classifier(nn.Module):
    """Normalised features → logits and embedding.

    ``mean`` and ``scale`` have the shape of a clip with one frame: (feature, 1), (feature,) or
    (layer, feature). They are saved with the weights.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, head: Any, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def normalise(self, features: Tensor) -> Tensor:
        """Raw features (clip, …) of any float type → float32 of mean 0 and deviation 1 a row."""
        return (features.float() - self.mean) / self.scale

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features and valid frames (clip,) → logits (clip, genre), embedding."""
        embedding = self.head.embed(features, lengths)
        return self.head.classify(embedding), embedding


def normalisation(
    kind: FeatureKind, clips: Iterable[np.ndarray], name: str = "the training tracks"
) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each feature row over all frames of all ``clips``.

    Raises MgcError where a value is not finite.
    """
    count, total, squares = 0, np.zeros(()), np.zeros(())
    for clip in clips:
        check_finite(clip, name)
        values = np.asarray(clip, np.float32)
        if kind == "sequence":
            count += values.shape[1]
            total = total + values.sum(1, dtype=np.float64)
            squares = squares + np.einsum("ft,ft->f", values, values, dtype=np.float64)
        else:
            count += 1
            total = total + values
            squares = squares + values.astype(np.float64) ** 2
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    deviation[deviation < SMALLEST_DEVIATION] = 1.0
    shape = (-1, 1) if kind == "sequence" else mean.shape
    return _tensor(mean.reshape(shape)), _tensor(deviation.reshape(shape))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
