"""What all encoders share: a clip in windows, and the mean of what is heard in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from mgc import MgcError, UsageError
from mgc.audio.clips import Clips
from mgc.extractors.pretrained_weights import Weights
from mgc.plugins.contract import FeatureKind

#: A remainder shorter than this is left out.
MIN_SECONDS = 1.0

Layer = int | Literal["last", "mean", "all"]


@dataclass(frozen=True)
class Window:
    """A part of a clip that the model hears at once: (sample,) float32."""

    wave: Tensor

    @property
    def weight(self) -> int:
        """Its weight in the clip's mean: its length."""
        return len(self.wave)


def windows(wave: Tensor, length: int, shortest: int) -> list[Window]:
    """A clip cut into windows of ``length`` samples; a remainder below ``shortest`` samples is left
    out, unless it is all there is."""
    parts = [Window(part) for part in wave.split(length)]
    if len(parts) > 1 and parts[-1].weight < shortest:
        parts.pop()
    return parts


class Encoder(ABC):
    """An extractor that hears windows one by one and returns the mean over all of them.

    One by one, so that a clip's numbers do not depend on its neighbours, and no window is padded
    to the length of another.
    """

    name: ClassVar[str]
    types: ClassVar[tuple[str, ...]]
    rate: ClassVar[int]
    seconds: ClassVar[float] = 10.0
    Params: ClassVar[type]

    def __init__(self, params: Any, device: str) -> None:
        self.params = params
        self.device = device

    @property
    @abstractmethod
    def kind(self) -> FeatureKind:
        """The feature's kind for these parameters."""

    @abstractmethod
    def hear(self, wave: Tensor) -> Tensor:
        """One window (sample,) on the CPU → (layer, feature) or (feature,), float32."""

    def identity(self) -> str:
        """The weights and the precision."""
        return f"sha256:{self.weights.digest()} fp32"

    def fetch(self) -> Path:
        """Download the weights."""
        return self.weights.fetch()

    @torch.inference_mode()
    def __call__(self, clips: Clips) -> Tensor:
        """(clip, layer, feature) or (clip, feature) float32."""
        rows = []
        length, shortest = int(self.seconds * self.rate), int(MIN_SECONDS * self.rate)
        for wave, samples in zip(clips.waves.cpu(), clips.lengths.tolist(), strict=True):
            parts = windows(wave[:samples], length, shortest)
            total = sum(part.weight for part in parts)
            heard = (self.hear(part.wave) * (part.weight / total) for part in parts)
            rows.append(torch.as_tensor(sum(heard)))
        return torch.stack(rows).float().to(clips.device)

    @cached_property
    def weights(self) -> Weights:
        """Where the model is."""
        return Weights(self.name, self.params.model, self.params.revision)

    def frontend(self, cls: Any) -> Any:
        """transformers' own preparation of the waveform, as configured in the model's folder.

        Raises MgcError if the model needs a different sample rate from the one the extractor
        declares.
        """
        self.weights.check_type(self.types)
        try:
            made = cls.from_pretrained(self.weights.folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise MgcError(
                f"{self.weights.folder} has no usable preprocessor_config.json: {error}",
                f"Fetch it again: {self.weights.command}",
            ) from error
        if made.sampling_rate != self.rate:
            raise MgcError(
                f"Model {self.params.model!r} hears {made.sampling_rate:,} Hz; extractor "
                f"{self.name} gives {self.rate:,} Hz.",
                "Choose a model with that rate.",
            )
        return made


def chosen(states: tuple[Tensor, ...], layer: Layer, model: str) -> Tensor:
    """States (feature,) of all layers, the input of the first block before them → one, their
    mean, or all of them (layer, feature). Raises UsageError for a layer that does not exist."""
    if layer == "all":
        return torch.stack(states)
    if layer == "mean":
        return torch.stack(states[1:]).mean(0)
    number = -1 if layer == "last" else layer
    if not -len(states) <= number < len(states):
        raise UsageError(
            f"layer={layer}: {model} has layers 0 to {len(states) - 1}.",
            "For example: --set layer=last, mean or all",
        )
    return states[number]
