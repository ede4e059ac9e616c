"""The common base of heads that listen to a sequence as well as use its statistics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mgc.heads.statistics import Description

INPUT_DROPOUT = 0.3  # of the statistics
#: Mixing tracks or masking rows gives statistics that no music has: 2 points lost on 240 tracks.
TRAINING: Mapping[str, Any] = {
    "normalisation": "whitening",
    "epochs": 40,
    "weight_decay": 0.05,
    "ema": 0.98,
    "mixup": 0.0,
    "mask_features": 0.0,
    "mask_frames": 0.0,
}


class BesideStatistics(nn.Module, ABC):
    """Two branches: one that learns to `listen`, and statistics of the same rows, which a few
    hundred tracks are enough to learn from.

    Each branch has its own classifier. In training, each clip is judged by one of them, drawn at
    random, so that the listening branch, which can memorise a small collection, does not keep the
    statistics branch from learning; afterwards the logits are the mean of both.

    ``rows`` are those of the features, ``hidden`` the units on their statistics, ``heard`` the
    numbers that `listen` gives.
    """

    def __init__(self, rows: int, hidden: int, heard: int, dropout: float, genres: int) -> None:
        super().__init__()
        self.describe = Description(rows, hidden, INPUT_DROPOUT)
        self.norm = nn.LayerNorm(heard)
        self.dropout = nn.Dropout(dropout)
        self.sizes = [hidden, heard]
        self.output = nn.ModuleList(nn.Linear(size, genres) for size in self.sizes)

    @abstractmethod
    def listen(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(clip, feature, frame) and valid frames (clip,) → (clip, heard)."""

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(clip, feature, frame) and valid frames (clip,) → (clip, hidden + heard)."""
        heard = self.norm(self.listen(features, lengths))
        return torch.cat([self.describe(features, lengths), heard], 1)

    def classify(self, embedding: Tensor) -> Tensor:
        """Embedding → logits (clip, genre)."""
        branches = self.dropout(embedding).split(self.sizes, 1)
        one, other = (judge(b) for judge, b in zip(self.output, branches, strict=True))
        share = torch.full((len(embedding), 1), 0.5, device=embedding.device)
        return torch.lerp(one, other, (share.bernoulli() if self.training else share).to(one.dtype))
