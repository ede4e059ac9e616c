"""Dasheng: a transformer on mel patches, trained by masked prediction (Dinkel et al. 2024).

Written from the published description and checked against the package ``dasheng``, on random
weights: it has not been run on the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mgc import MgcError
from mgc.extractors.pretrained_weights import Weights
from mgc.plugins.contract import FeatureKind
from mgc_encoders.plugin import SPEECH_RATE
from mgc_encoders.windows import Encoder, Layer, chosen

HOP, N_FFT, N_MELS, DYNAMIC_RANGE = 160, 512, 64, 120.0  # samples, samples, bands, dB
PATCH, POSITIONS = 4, 252  # mel frames per patch (all bands); patches that have a position
EPS = 1e-6  # of the layer norms
#: What a configuration may say about the rest: the only values that were published.
FIXED: dict[str, Any] = {
    "patch_size": [N_MELS, PATCH],
    "patch_stride": [N_MELS, PATCH],
    "target_length": POSITIONS * PATCH,
    "n_mels": N_MELS,
    "mlp_ratio": 4,
    "qkv_bias": True,
    "init_bn": True,
    "init_values": None,
    "pooling": "mean",
}
#: Of the tensors: what other packages save beside the encoder.
NOT_NEEDED = ("front_end.", "outputlayer.")


@dataclass(frozen=True)
class DashengParams:
    """``model``: a hub name or a local folder, at a ``revision`` of the hub; ``layer``: the output
    of that block (0: the input of the first), ``last``, their ``mean``, or ``all`` of them."""

    model: str = "mispeech/dasheng-base"
    revision: str | None = None
    layer: Layer = "all"


class Dasheng(Encoder):
    """Mean over time of the states after each block; the last is normalised, as published."""

    name = "dasheng"
    types = ("dasheng",)
    rate = SPEECH_RATE
    seconds = POSITIONS * PATCH * HOP / SPEECH_RATE  # 10.08
    Params = DashengParams

    @property
    def kind(self) -> FeatureKind:
        """``layers`` for ``layer=all``, else ``vector``."""
        return "layers" if self.params.layer == "all" else "vector"

    def hear(self, wave: Tensor) -> Tensor:
        """One window → (layer, feature) or (feature,)."""
        shortest = (PATCH - 1) * HOP
        padded = nn.functional.pad(wave, (0, max(0, shortest - len(wave))))
        levels = self._to_db(self._mel(padded[None]))
        states = tuple(state[0].mean(0).cpu() for state in self._model(levels.to(self.device)))
        return chosen(states, self.params.layer, self.params.model)

    @cached_property
    def _mel(self) -> Any:
        from torchaudio.transforms import MelSpectrogram

        return MelSpectrogram(self.rate, N_FFT, hop_length=HOP, f_max=self.rate / 2, n_mels=N_MELS)

    @cached_property
    def _to_db(self) -> Any:
        from torchaudio.transforms import AmplitudeToDB

        return AmplitudeToDB(top_db=DYNAMIC_RANGE)

    @cached_property
    def _model(self) -> DashengEncoder:
        self.weights.check_type(self.types)
        return _read(self.weights).to(self.device)


class DashengEncoder(nn.Module):
    """Modules under the names of the published tensors."""

    def __init__(self, width: int, blocks: int, heads: int) -> None:
        super().__init__()
        self.init_bn = nn.Sequential(nn.Identity(), nn.BatchNorm2d(N_MELS))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, width, (N_MELS, PATCH), PATCH)})
        self.time_pos_embed = nn.Parameter(torch.empty(1, width, 1, POSITIONS))
        self.freq_pos_embed = nn.Parameter(torch.empty(1, width, 1, 1))
        self.blocks = nn.ModuleList([DashengBlock(width, heads) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width, EPS)

    def forward(self, levels: Tensor) -> list[Tensor]:
        """Mel levels in dB (window, band, frame) → the input of the first block and the output
        of each, (window, patch, feature)."""
        scaled = self.init_bn(levels[..., None]).permute(0, 3, 1, 2)
        patches = self.patch_embed["proj"](scaled)
        patches = patches + self.time_pos_embed[..., : patches.shape[-1]] + self.freq_pos_embed
        states = [patches.flatten(2).transpose(1, 2)]
        for block in self.blocks:
            states.append(block(states[-1]))
        return [*states[:-1], self.norm(states[-1])]


class DashengBlock(nn.Module):
    """Attention and a perceptron, each on normalised input and added to it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, EPS), nn.LayerNorm(width, EPS)
        self.attn = nn.ModuleDict(
            {"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)}
        )
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}
        )

    def forward(self, states: Tensor) -> Tensor:
        """(window, patch, feature) → the same shape."""
        stacked = self.attn["qkv"](self.norm1(states)).unflatten(-1, (3, self.heads, -1))
        query, key, value = stacked.permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        states = states + self.attn["proj"](mixed.transpose(1, 2).flatten(2))
        hidden = nn.functional.gelu(self.mlp["fc1"](self.norm2(states)))
        widened: Tensor = self.mlp["fc2"](hidden)
        return states + widened


def _read(weights: Weights) -> DashengEncoder:
    """The encoder, ready to evaluate, in float32.

    Raises MgcError if the model is of another kind, or if its tensors do not fit.
    """
    shape = weights.config.get("encoder_kwargs", {})
    if other := {
        name: shape[name] for name, value in FIXED.items() if shape.get(name, value) != value
    }:
        raise MgcError(
            f"Model {weights.model!r} is not one of the published Dasheng models: {other}.",
            "Use mispeech/dasheng-base, -0.6B or -1.2B.",
        )
    try:
        with torch.device("meta"):
            encoder = DashengEncoder(*(int(shape[n]) for n in ("embed_dim", "depth", "num_heads")))
        tensors = {
            name.removeprefix("encoder."): tensor.float()
            for file in weights.files
            for name, tensor in load_file(file).items()
        }
        kept = {name: t for name, t in tensors.items() if not name.startswith(NOT_NEEDED)}
        encoder.load_state_dict(kept, assign=True)
    except (KeyError, RuntimeError, OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise MgcError(f"{weights.folder} cannot be loaded: {reason}", weights.remedy) from error
    return encoder.eval().requires_grad_(False)
