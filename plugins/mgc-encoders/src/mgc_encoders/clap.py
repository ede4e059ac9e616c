"""CLAP: contrastive language-audio pretraining (Wu et al. 2023). The text side is not loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mgc.plugins.contract import FeatureKind
from mgc_encoders.plugin import CLAP_RATE
from mgc_encoders.windows import Encoder


@dataclass(frozen=True)
class ClapParams:
    """``model``: a hub name or a local folder, at a ``revision`` of the hub."""

    model: str = "laion/larger_clap_music"
    revision: str | None = None


class Clap(Encoder):
    """The audio embedding in the space that CLAP shares with text, the mean over windows."""

    name = "clap"
    types = ("clap", "clap_audio_model")
    rate = CLAP_RATE
    Params = ClapParams

    @property
    def kind(self) -> FeatureKind:
        """One vector per clip."""
        return "vector"

    def hear(self, wave: Tensor) -> Tensor:
        """One window → (feature,). A window of less than 10 s is repeated, as in training."""
        prepared = self._prepare(wave.numpy(), sampling_rate=self.rate, return_tensors="pt")
        inputs = {name: torch.as_tensor(value).to(self.device) for name, value in prepared.items()}
        embedding: Tensor = self._model(**inputs).audio_embeds[0].float().cpu()
        return embedding

    @cached_property
    def _prepare(self) -> Any:
        from transformers import ClapFeatureExtractor

        return self.frontend(ClapFeatureExtractor)

    @cached_property
    def _model(self) -> Any:
        from transformers import ClapAudioModelWithProjection

        return self.weights.load(ClapAudioModelWithProjection).to(self.device)
