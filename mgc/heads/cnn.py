"""A small convolutional network over the spectrogram, with attentive pooling over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from mgc.contract import FeatureShape
from mgc.heads.layers import AttentiveStatistics, Scheme, initialise


@dataclass(frozen=True)
class CnnParams:
    """``width`` channels in the first block, twice and four times that in the later ones;
    ``embedding`` numbers a frame after the convolutions; ``dropout`` before the classifier;
    ``initialisation`` scheme of the weights."""

    width: int = 16
    blocks: int = 4
    embedding: int = 128
    dropout: float = 0.5
    initialisation: Scheme = "kaiming"


class Cnn(nn.Module):
    """Convolution blocks halve time and feature axes; statistics over time do the rest."""

    Params = CnnParams
    training_defaults: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, params: CnnParams, shape: FeatureShape, genres: int) -> None:
        super().__init__()
        channels, rows, blocks = 1, shape.features, []
        for number in range(params.blocks):
            out = params.width * min(4, 2**number)
            halving = 2 if rows >= 4 else 1
            blocks.append(block(channels, out, halving))
            channels, rows = out, rows // halving
        self.blocks = nn.Sequential(*blocks)
        self.project = nn.Sequential(
            nn.Conv1d(channels * rows, params.embedding, 1, bias=False),
            nn.BatchNorm1d(params.embedding),
            nn.ReLU(),
        )
        self.halvings = params.blocks
        self.pool = AttentiveStatistics(params.embedding)
        self.norm = nn.BatchNorm1d(2 * params.embedding)
        self.dropout = nn.Dropout(params.dropout)
        self.output = nn.Linear(2 * params.embedding, genres)
        initialise(self, params.initialisation)

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(clip, feature, frame) and valid frames → (clip, 2 × embedding)."""
        maps = self.blocks(features[:, None])
        frames = self.project(maps.flatten(1, 2))
        return self.norm(self.pool(frames, lengths // 2**self.halvings))

    def classify(self, embedding: Tensor) -> Tensor:
        """Embedding → logits (clip, genre)."""
        return self.output(self.dropout(embedding))


def block(channels: int, out: int, halving: int) -> nn.Module:
    """3 × 3 convolution, norm, pooling by 2 in time and by ``halving`` in features."""
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
        nn.MaxPool2d((halving, 2)),
        nn.Dropout2d(0.1),
    )
