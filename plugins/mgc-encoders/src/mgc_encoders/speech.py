"""Encoders that hear the waveform itself: wav2vec 2.0 and its relatives, and MERT."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from mgc import MgcError
from mgc.extractors.pretrained_weights import Weights
from mgc.plugins.contract import FeatureKind
from mgc_encoders.plugin import MUSIC_RATE, SPEECH_RATE
from mgc_encoders.windows import Encoder, Layer, chosen

#: What the first convolutions see: shorter waves are padded with silence.
RECEPTIVE_FIELD = 400  # samples


@dataclass(frozen=True)
class Wav2Vec2Params:
    """``model``: a hub name or a local folder, at a ``revision`` of the hub; ``layer``: the output
    of that block (0: the input of the first), ``last``, their ``mean``, or ``all`` of them."""

    model: str = "facebook/wav2vec2-base"
    revision: str | None = None
    layer: Layer = "all"


@dataclass(frozen=True)
class HubertParams(Wav2Vec2Params):
    """See `Wav2Vec2Params`."""

    model: str = "facebook/hubert-base-ls960"


@dataclass(frozen=True)
class WavLmParams(Wav2Vec2Params):
    """See `Wav2Vec2Params`."""

    model: str = "microsoft/wavlm-base-plus"


@dataclass(frozen=True)
class MertParams(Wav2Vec2Params):
    """See `Wav2Vec2Params`."""

    model: str = "m-a-p/MERT-v1-95M"


class Wav2Vec2(Encoder):
    """Mean over time of the hidden states after each block."""

    name = "wav2vec2"
    types: ClassVar[tuple[str, ...]] = (
        "wav2vec2",
        "wav2vec2-conformer",
        "data2vec-audio",
        "unispeech",
        "unispeech-sat",
    )
    rate = SPEECH_RATE
    Params: ClassVar[type] = Wav2Vec2Params

    @property
    def kind(self) -> FeatureKind:
        """``layers`` for ``layer=all``, else ``vector``."""
        return "layers" if self.params.layer == "all" else "vector"

    def hear(self, wave: Tensor) -> Tensor:
        """One window → (layer, feature) or (feature,)."""
        short = max(0, RECEPTIVE_FIELD - len(wave))
        samples = torch.nn.functional.pad(wave, (0, short)).numpy()
        prepared = self._prepare(samples, sampling_rate=self.rate, return_tensors="pt")
        output = self._model(prepared.input_values.to(self.device), output_hidden_states=True)
        states = tuple(state[0].float().mean(0).cpu() for state in output.hidden_states)
        return chosen(states, self.params.layer, self.params.model)

    @cached_property
    def _prepare(self) -> Any:
        from transformers import Wav2Vec2FeatureExtractor

        return self.frontend(Wav2Vec2FeatureExtractor)

    @cached_property
    def _model(self) -> torch.nn.Module:
        model: torch.nn.Module = self.load().to(self.device)
        return model

    def load(self) -> Any:
        """The model, on the CPU."""
        from transformers import AutoModel

        return self.weights.load(AutoModel)


class Hubert(Wav2Vec2):
    """Mean over time of HuBERT's hidden states."""

    name = "hubert"
    types = ("hubert",)
    Params = HubertParams


class WavLm(Wav2Vec2):
    """Mean over time of WavLM's hidden states."""

    name = "wavlm"
    types = ("wavlm",)
    Params = WavLmParams


class Mert(Wav2Vec2):
    """Mean over time of MERT's hidden states (Li et al. 2023, arXiv 2306.00107)."""

    name = "mert"
    types = ("mert_model", "hubert")
    rate = MUSIC_RATE
    Params = MertParams

    def load(self) -> Any:
        """MERT loaded as a HuBERT model; see `hubert_config`."""
        from transformers import HubertModel

        return self.weights.load(HubertModel, hubert_config(self.weights))


#: What MERT's own code adds to HuBERT, and the values that make it plain HuBERT.
ADDITIONS = {"feature_extractor_cqt": False, "deepnorm": False, "attention_relax": -1.0}


def hubert_config(weights: Weights) -> Any:
    """The HuBERT configuration of a MERT model, so that none of the hub's code is run.

    Raises MgcError if the model uses one of MERT's additions (`ADDITIONS`).
    """
    from transformers import HubertConfig

    config = weights.config
    used = {name: config[name] for name, off in ADDITIONS.items() if config.get(name, off) != off}
    if used:
        named = ", ".join(f"{name}={value}" for name, value in used.items())
        raise MgcError(
            f"Model {weights.model!r} is more than plain HuBERT ({named}) and needs its own code, "
            "which mgc does not run.",
            "Use a MERT v1 model, such as m-a-p/MERT-v1-95M.",
        )
    own = {"model_type", "auto_map", "architectures", "sample_rate", *ADDITIONS}
    return HubertConfig(**{name: value for name, value in config.items() if name not in own})
