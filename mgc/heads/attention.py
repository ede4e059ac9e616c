"""A small transformer over frames, with gated attention pooling over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mgc.contract import FeatureShape
from mgc.heads.layers import SMALLEST_VARIANCE, Scheme, initialise, valid


@dataclass(frozen=True)
class AttentionParams:
    """``width`` of a frame's state, ``layers`` and ``attention_heads`` of the transformer,
    ``stride``: frames that one state stands for (a power of 2), ``dropout`` before the
    classifier; ``initialisation`` scheme of the weights."""

    width: int = 96
    layers: int = 2
    attention_heads: int = 4
    stride: int = 4
    dropout: float = 0.5
    inner_dropout: float = 0.1
    initialisation: Scheme = "xavier"


class Attention(nn.Module):
    """Convolutions shorten the sequence, a transformer relates its parts, a gate weighs them.

    There are no positions beyond what the convolutions see: genre does not depend on when.
    """

    Params = AttentionParams
    training_defaults: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, params: AttentionParams, shape: FeatureShape, genres: int) -> None:
        super().__init__()
        self.stem = stem(shape.features, params)
        self.stride = params.stride
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
        states = self.stem(features).transpose(1, 2)
        mask = valid(lengths // self.stride, states.shape[1])[:, 0]
        states = self.encoder(states, src_key_padding_mask=~mask)
        return self.norm(self.pool(states, mask))

    def classify(self, embedding: Tensor) -> Tensor:
        """Embedding → logits (clip, genre)."""
        return self.output(self.dropout(embedding))


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


def stem(features: int, params: AttentionParams) -> nn.Module:
    """Convolutions over time, each of which halves the sequence, until ``stride`` is reached."""
    parts: list[nn.Module] = []
    channels = features
    for _ in range(max(1, params.stride.bit_length() - 1)):
        parts += [
            nn.Conv1d(channels, params.width, 5, stride=2 if params.stride > 1 else 1, padding=2),
            nn.BatchNorm1d(params.width),
            nn.GELU(),
            nn.Dropout(params.inner_dropout),
        ]
        channels = params.width
    return nn.Sequential(*parts)
