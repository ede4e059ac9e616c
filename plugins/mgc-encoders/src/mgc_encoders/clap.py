"""CLAP: contrastive language-audio pretraining (Wu et al. 2023).

The text side is loaded only to embed text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from safetensors import safe_open
from torch import Tensor

from mgc import MgcError
from mgc.extractors.pretrained_weights import Weights
from mgc.plugins.contract import FeatureKind
from mgc_encoders.plugin import CLAP_RATE
from mgc_encoders.windows import Encoder


@dataclass(frozen=True)
class ClapParams:
    """``model``: a hub name or a local folder, at a ``revision`` of the hub."""

    model: str = "laion/larger_clap_music"
    revision: str | None = None


#: A tokenizer is one file, or words and merges.
TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json")


class Clap(Encoder):
    """The audio embedding in the space that CLAP shares with text, the mean over windows."""

    #: Fixed before any music was heard with them.
    prompts: ClassVar[tuple[str, ...]] = (
        "{}",
        "This is a {} song.",
        "This is an audio of {} music.",
        "The sound of {} music.",
    )

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

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Texts → (text, feature) float32 of unit length, in the space of the audio."""
        tokens = self._tokenize(list(texts), padding=True, return_tensors="pt").to(self.device)
        return torch.nn.functional.normalize(self._text_model(**tokens).text_embeds.float())

    @cached_property
    def logit_scale(self) -> float:
        """What CLAP multiplies the cosine of audio and text by."""
        for file in self.weights.files:
            with safe_open(file, framework="pt") as tensors:
                if "logit_scale_a" in tensors.keys():  # noqa: SIM118 - not a mapping
                    return float(tensors.get_tensor("logit_scale_a").float().exp())
        raise MgcError(f"{self.weights.folder} has no logit_scale_a.", self.weights.remedy)

    @cached_property
    def weights(self) -> Weights:
        """Where the model is, with its tokenizer."""
        return Weights(self.name, self.params.model, self.params.revision, TOKENIZER)

    @cached_property
    def _tokenize(self) -> Any:
        from transformers import RobertaTokenizerFast

        folder = self.weights.folder
        there = [(folder / name).is_file() for name in TOKENIZER]
        if not (there[0] or (there[1] and there[2])):
            raise MgcError(f"{folder} has no tokenizer ({TOKENIZER[0]}).", self.weights.remedy)
        return RobertaTokenizerFast.from_pretrained(folder, local_files_only=True)

    @cached_property
    def _text_model(self) -> Any:
        from transformers import ClapTextModelWithProjection

        return self.weights.load(ClapTextModelWithProjection).to(self.device)

    @cached_property
    def _prepare(self) -> Any:
        from transformers import ClapFeatureExtractor

        return self.frontend(ClapFeatureExtractor)

    @cached_property
    def _model(self) -> Any:
        from transformers import ClapAudioModelWithProjection

        return self.weights.load(ClapAudioModelWithProjection).to(self.device)
