"""A small transformer over stretches of a clip, with gated attention pooling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mgc.contract import FeatureShape
from mgc.heads.layers import SMALLEST_VARIANCE, Scheme, initialise
from mgc.heads.statistics import Description


@dataclass(frozen=True)
class AttentionParams:
    """``stretch`` frames, half overlapping, become one state of ``width`` numbers; ``layers`` and
    ``attention_heads`` of the transformer; ``input_dropout`` of the statistics, ``inner_dropout``
    in the transformer, ``dropout`` before the classifier; ``initialisation`` of the weights."""

    stretch: int = 256
    width: int = 128
    layers: int = 1
    attention_heads: int = 4
    input_dropout: float = 0.3
    inner_dropout: float = 0.2
    dropout: float = 0.5
    initialisation: Scheme = "xavier"


class Attention(nn.Module):
    """Each stretch of a clip is told by its statistics, a transformer relates the stretches, and
    a gate weighs them.

    Stretches have no positions: genre does not depend on when. A transformer over single frames
    was tried first; it needs more music than a few hundred tracks.
    """

    Params = AttentionParams
    training_defaults: ClassVar[Mapping[str, Any]] = {
        "normalisation": "whitening",
        "crop_frames": 768,
        "epochs": 40,
        "weight_decay": 0.05,
        "ema": 0.98,
        "mixup": 0.0,
        "mask_features": 0.0,
        "mask_frames": 0.0,
    }

    def __init__(self, params: AttentionParams, shape: FeatureShape, genres: int) -> None:
        super().__init__()
        self.stretch = params.stretch
        self.describe = Description(shape.features, params.width, params.input_dropout)
        layer = nn.TransformerEncoderLayer(
            params.width,
            params.attention_heads,
            dim_feedforward=2 * params.width,
            dropout=params.inner_dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, params.layers, enable_nested_tensor=False)
        self.pool = GatedStatistics(params.width)
        self.norm = nn.LayerNorm(2 * params.width)
        self.dropout = nn.Dropout(params.dropout)
        self.output = nn.Linear(2 * params.width, genres)
        initialise(self, params.initialisation)

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(clip, feature, frame) and valid frames → (clip, 2 × width)."""
        parts, frames = stretches(features, lengths, self.stretch)
        states = self.describe(parts.flatten(0, 1), frames.flatten().clamp(min=1))
        # A stretch that is mostly padding is left out, but for the first.
        mask = (2 * frames >= parts.shape[3]).index_fill(1, frames.new_zeros(1), True)
        states = self.encoder(states.unflatten(0, mask.shape), src_key_padding_mask=~mask)
        return self.norm(self.pool(states, mask))

    def classify(self, embedding: Tensor) -> Tensor:
        """Embedding → logits (clip, genre)."""
        return self.output(self.dropout(embedding))


def stretches(features: Tensor, lengths: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Half overlapping stretches (clip, stretch, feature, frame) of (clip, feature, frame), and
    the valid frames of each (clip, stretch); a shorter clip is one stretch."""
    size = min(size, features.shape[2])
    hop = max(1, size // 2)
    parts = features.unfold(2, size, hop).transpose(1, 2)
    begin = torch.arange(parts.shape[1], device=lengths.device) * hop
    return parts, (lengths[:, None] - begin).clamp(min=0, max=size)


class GatedStatistics(nn.Module):
    """Mean and deviation over time, each state weighted by a gated score.

    The gate is that of Ilse, Tomczak and Welling (2018), attention-based multiple instance
    learning; the deviation that of attentive statistics pooling.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        self.score = nn.Linear(width, 1)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(clip, state, width) and mask (clip, state) → (clip, 2 × width) float32."""
        scores = self.score(torch.tanh(self.value(states)) * torch.sigmoid(self.gate(states)))
        weights = scores.float().masked_fill(~mask[:, :, None], -torch.inf).softmax(1)
        states = states.float()
        mean = (weights * states).sum(1)
        variance = (weights * states.square()).sum(1) - mean.square()
        return torch.cat([mean, variance.clamp(min=SMALLEST_VARIANCE).sqrt()], 1)
