"""A small transformer over frames with gated attention pooling, alongside pooled statistics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mgc.heads.layers import Scheme, initialise, valid, weighted_statistics
from mgc.heads.statistics import BesideStatistics
from mgc.plugins.contract import FeatureShape
from mgc.plugins.params import Fraction, PositiveInt


@dataclass(frozen=True)
class AttentionParams:
    """``width`` of a frame's state, ``layers`` and ``attention_heads`` of the transformer,
    ``stride``: frames per state (a power of 2), ``hidden`` units on the statistics,
    ``dropout`` before the classifier; ``initialisation`` scheme of the weights."""

    width: PositiveInt = 64
    layers: PositiveInt = 1
    attention_heads: PositiveInt = 4
    stride: PositiveInt = 4
    hidden: PositiveInt = 256
    dropout: Fraction = 0.5
    inner_dropout: Fraction = 0.1
    initialisation: Scheme = "xavier"


class Attention(BesideStatistics):
    """Convolutions shorten the sequence, a transformer relates its parts, a gate weights them.

    There is no positional encoding beyond what the convolutions see: genre does not depend on when.
    """

    Params = AttentionParams

    def __init__(self, params: AttentionParams, shape: FeatureShape, genres: int) -> None:
        super().__init__(params, shape, genres)
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
        initialise(self, params.initialisation)

    def listen(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(clip, feature, frame) and valid frames (clip,) → (clip, 2 × width)."""
        states = self.stem(features).transpose(1, 2)
        mask = valid(lengths // self.stride, states.shape[1])[:, 0]
        states = self.encoder(states, src_key_padding_mask=~mask)
        pooled: Tensor = self.pool(states, mask)
        return pooled


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
        return weighted_statistics(states.float(), weights, 1)


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
