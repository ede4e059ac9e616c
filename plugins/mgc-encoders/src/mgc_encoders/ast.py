"""Audio Spectrogram Transformer (Gong, Chung and Glass 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mgc.plugins.contract import FeatureKind
from mgc_encoders.plugin import SPEECH_RATE
from mgc_encoders.windows import Encoder, Layer, chosen

FRAME, HOP = 400, 160  # samples per mel frame: 25 ms every 10 ms, as in Kaldi
SPECIAL = 2  # tokens before the patches: class and distillation


@dataclass(frozen=True)
class AstParams:
    """``model``: a hub name or a local folder, at a ``revision`` of the hub; ``layer``: the output
    of that block (0: the input of the first), ``last``, their ``mean``, or ``all`` of them."""

    model: str = "MIT/ast-finetuned-audioset-10-10-0.4593"
    revision: str | None = None
    layer: Layer = "all"


class Ast(Encoder):
    """Mean of each layer's patches; those that see only padding are left out."""

    name = "ast"
    types = ("audio-spectrogram-transformer",)
    rate = SPEECH_RATE
    seconds = 10.24  # 1,024 frames, the length of the model's position embeddings
    Params = AstParams

    @property
    def kind(self) -> FeatureKind:
        """``layers`` for ``layer=all``, else ``vector``."""
        return "layers" if self.params.layer == "all" else "vector"

    def hear(self, wave: Tensor) -> Tensor:
        """One window → (layer, feature) or (feature,)."""
        samples = torch.nn.functional.pad(wave, (0, max(0, FRAME - len(wave)))).numpy()
        prepared = self._prepare(samples, sampling_rate=self.rate, return_tensors="pt")
        output = self._model(prepared.input_values.to(self.device), output_hidden_states=True)
        heard = self._heard(1 + (len(samples) - FRAME) // HOP)
        states = tuple(
            state[0, SPECIAL:][heard].float().mean(0).cpu() for state in output.hidden_states
        )
        return chosen(states, self.params.layer, self.params.model)

    def _heard(self, frames: int) -> Tensor:
        """Mask (patch,): True where a patch begins within this many frames. Patches are in order of
        frequency, then time."""
        config = self._model.config
        size, steps = config.patch_size, (config.frequency_stride, config.time_stride)
        rows = (config.num_mel_bins - size) // steps[0] + 1
        columns = (config.max_length - size) // steps[1] + 1
        begins: Tensor = torch.arange(columns) * steps[1] < frames
        return begins.repeat(rows)

    @cached_property
    def _prepare(self) -> Any:
        from transformers import ASTFeatureExtractor

        return self.frontend(ASTFeatureExtractor)

    @cached_property
    def _model(self) -> Any:
        from transformers import ASTModel

        return self.weights.load(ASTModel).to(self.device)
