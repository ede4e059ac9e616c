"""A two-layer perceptron on pooled statistics, or on a learnt mixture of a model's layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mgc.heads.layers import Scheme, initialise
from mgc.plugins.contract import FeatureShape
from mgc.plugins.params import Fraction, PositiveInt

MAX_DEVIATIONS = 4.0  # deviations; a statistic beyond this is an outlier


@dataclass(frozen=True)
class MlpParams:
    """``hidden`` units, which are the embedding; ``dropout`` of the input and of the hidden
    units; ``initialisation`` scheme of the weights."""

    hidden: PositiveInt = 256
    input_dropout: Fraction = 0.5
    dropout: Fraction = 0.5
    initialisation: Scheme = "kaiming"


class Mlp(nn.Module):
    """Hidden layer, then logits. Layers, if any, are first mixed with learnt weights that sum to
    1."""

    Params = MlpParams
    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-3, "weight_decay": 0.1}

    def __init__(self, params: MlpParams, shape: FeatureShape, genres: int) -> None:
        super().__init__()
        # Equal at first: the softmax of zeros.
        self.layer_scores = nn.Parameter(torch.zeros(shape.layers)) if shape.layers > 1 else None
        self.input_dropout = nn.Dropout(params.input_dropout)
        self.hidden = nn.Sequential(
            nn.Linear(shape.features, params.hidden), nn.LayerNorm(params.hidden), nn.GELU()
        )
        self.dropout = nn.Dropout(params.dropout)
        self.output = nn.Linear(params.hidden, genres)
        initialise(self, params.initialisation)

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(clip, feature) or (clip, layer, feature) → (clip, hidden)."""
        mixed = self.mixed(features.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS))
        hidden: Tensor = self.hidden(self.input_dropout(mixed))
        return hidden

    def mixed(self, features: Tensor) -> Tensor:
        """The weighted sum of the layers, as in ELMo (Peters et al. 2018) and SUPERB."""
        if features.dim() == 2:
            return features
        if self.layer_scores is None:
            return features[:, 0]
        return torch.einsum("clf,l->cf", features, self.layer_scores.softmax(0))

    def classify(self, embedding: Tensor) -> Tensor:
        """Embedding → logits (clip, genre)."""
        logits: Tensor = self.output(self.dropout(embedding))
        return logits
