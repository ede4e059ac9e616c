"""A small convolutional network over time, alongside pooled statistics."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from mgc.heads.layers import AttentiveStatistics, Scheme, initialise
from mgc.heads.statistics import BesideStatistics
from mgc.plugins.contract import FeatureShape
from mgc.plugins.params import Fraction, PositiveInt


@dataclass(frozen=True)
class CnnParams:
    """``width`` channels of ``blocks`` convolution blocks; ``hidden`` units on the statistics;
    ``dropout`` before the classifier; ``initialisation`` scheme of the weights."""

    width: PositiveInt = 64
    blocks: PositiveInt = 3
    hidden: PositiveInt = 256
    dropout: Fraction = 0.5
    initialisation: Scheme = "kaiming"


class Cnn(BesideStatistics):
    """The feature rows are channels of convolutions over time, pooled by attention."""

    Params = CnnParams

    def __init__(self, params: CnnParams, shape: FeatureShape, genres: int) -> None:
        super().__init__(params, shape, genres)
        widths = [shape.features, *[params.width] * params.blocks]
        self.blocks = nn.Sequential(*map(block, widths, widths[1:]))
        self.halvings = params.blocks
        self.pool = AttentiveStatistics(params.width)
        initialise(self, params.initialisation)

    def listen(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(clip, feature, frame) and valid frames (clip,) → (clip, 2 × width)."""
        pooled: Tensor = self.pool(self.blocks(features), lengths // 2**self.halvings)
        return pooled


def block(channels: int, out: int) -> nn.Module:
    """Convolution over five frames, norm, pooling by two."""
    return nn.Sequential(
        nn.Conv1d(channels, out, 5, padding=2, bias=False),
        nn.BatchNorm1d(out),
        nn.GELU(),
        nn.MaxPool1d(2),
        nn.Dropout(0.1),
    )
