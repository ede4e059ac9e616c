"""A small convolutional network over time, beside the statistics of what it hears."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mgc.contract import FeatureShape
from mgc.heads.layers import AttentiveStatistics, Scheme, initialise
from mgc.heads.statistics import Description


@dataclass(frozen=True)
class CnnParams:
    """``width`` channels of ``blocks`` convolution blocks; ``hidden`` units on the statistics;
    ``dropout`` before the classifier; ``initialisation`` scheme of the weights."""

    width: int = 64
    blocks: int = 3
    hidden: int = 256
    dropout: float = 0.5
    initialisation: Scheme = "kaiming"


class Cnn(nn.Module):
    """The feature rows are channels of convolutions over time, pooled by attention; statistics of
    the same rows, which a few hundred tracks are enough to learn from, go beside.

    Each of the two branches has a classifier of its own. In training, a clip is judged by one of
    them, drawn at random, so that the convolutions, which can learn a small collection by heart,
    do not keep the statistics from learning; afterwards the logits are the mean of both.
    """

    Params = CnnParams
    # Mixing tracks or masking rows makes statistics that no music has: 2 points less on 240 tracks.
    training_defaults: ClassVar[Mapping[str, Any]] = {
        "normalisation": "whitening",
        "epochs": 40,
        "weight_decay": 0.05,
        "ema": 0.98,
        "mixup": 0.0,
        "mask_features": 0.0,
        "mask_frames": 0.0,
    }

    def __init__(self, params: CnnParams, shape: FeatureShape, genres: int) -> None:
        super().__init__()
        self.describe = Description(shape.features, params.hidden, 0.3)
        self.blocks = nn.Sequential(
            *(
                block(params.width if n else shape.features, params.width)
                for n in range(params.blocks)
            )
        )
        self.halvings = params.blocks
        self.pool = AttentiveStatistics(params.width)
        self.norm = nn.LayerNorm(2 * params.width)
        self.dropout = nn.Dropout(params.dropout)
        self.sizes = [params.hidden, 2 * params.width]
        self.output = nn.ModuleList(nn.Linear(size, genres) for size in self.sizes)
        initialise(self, params.initialisation)

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(clip, feature, frame) and valid frames → (clip, hidden + 2 × width)."""
        heard = self.pool(self.blocks(features), lengths // 2**self.halvings)
        return torch.cat([self.describe(features, lengths), self.norm(heard)], 1)

    def classify(self, embedding: Tensor) -> Tensor:
        """Embedding → logits (clip, genre)."""
        branches = self.dropout(embedding).split(self.sizes, 1)
        one, other = (judge(b) for judge, b in zip(self.output, branches, strict=True))
        share = torch.full((len(embedding), 1), 0.5, device=embedding.device)
        return torch.lerp(one, other, (share.bernoulli() if self.training else share).to(one.dtype))


def block(channels: int, out: int) -> nn.Module:
    """Convolution over five frames, norm, pooling by two."""
    return nn.Sequential(
        nn.Conv1d(channels, out, 5, padding=2, bias=False),
        nn.BatchNorm1d(out),
        nn.GELU(),
        nn.MaxPool1d(2),
        nn.Dropout(0.1),
    )
