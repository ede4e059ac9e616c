"""Building blocks shared by several gradient heads; plug-ins may use them too."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Scheme = Literal["kaiming", "xavier", "orthogonal", "torch"]

MIN_VARIANCE = 1e-5
SMALLEST_VARIANCE = MIN_VARIANCE  # its name in 0.1; to be removed in 1.0


def valid(lengths: Tensor, frames: int) -> Tensor:
    """Mask (clip, 1, frame): True where a frame is not padding; at least one frame is valid."""
    steps = torch.arange(frames, device=lengths.device)
    return (steps < lengths.clamp(min=1)[:, None])[:, None]


class AttentiveStatistics(nn.Module):
    """Mean and deviation over time, each frame weighted by attention, channel by channel.

    Attentive statistics pooling after Okabe, Koshinaka and Shinoda (2018).
    """

    def __init__(self, channels: int, hidden: int = 64) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.Conv1d(channels, hidden, 1), nn.Tanh(), nn.Conv1d(hidden, channels, 1)
        )

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """(clip, channel, frame) and valid frames (clip,) → (clip, 2 × channel) float32."""
        scores = self.attention(frames).float()
        frames = frames.float()
        scores = scores.masked_fill(~valid(lengths, frames.shape[2]), -torch.inf)
        return weighted_statistics(frames, scores.softmax(2), 2)


def weighted_statistics(values: Tensor, weights: Tensor, axis: int) -> Tensor:
    """Weighted mean and deviation of (clip, …) along ``axis``: (clip, 2 × the other axis)."""
    mean = (weights * values).sum(axis)
    variance = (weights * values.square()).sum(axis) - mean.square()
    return torch.cat([mean, variance.clamp(min=MIN_VARIANCE).sqrt()], 1)


def initialise(module: nn.Module, scheme: Scheme) -> None:
    """Redraw all weight matrices by a scheme; ``torch`` keeps torch's own initialisation.

    ``kaiming`` (He et al. 2015), ``xavier`` (Glorot and Bengio 2010), ``orthogonal`` (Saxe et
    al. 2014); biases become 0.
    """
    if scheme == "torch":
        return
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d):
            if scheme == "kaiming":
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            elif scheme == "xavier":
                nn.init.xavier_uniform_(part.weight)
            else:
                nn.init.orthogonal_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
