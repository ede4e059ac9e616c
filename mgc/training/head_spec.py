"""A head as requested: its parameters, how it is trained, and which features it can take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

from mgc.errors import UsageError
from mgc.plugins import params as plugin_params
from mgc.plugins.contract import FeatureKind, HeadInfo
from mgc.plugins.params import NonNegativeFloat, PositiveFloat, PositiveInt
from mgc.plugins.plugin_spec import PluginSpec


@dataclass(frozen=True)
class Training:
    """Settings of the trainer, as in ``--set epochs=40``.

    A head may bring its own defaults as a class attribute ``training_defaults``. Fractions are
    of 1; a value of 0 turns a setting off, unless stated otherwise.

    epochs: passes over the training tracks, at most; each draws one clip and crop per track.
    batch_size: tracks per optimiser step, over all processes together.
    learning_rate: AdamW's peak learning rate, reached after the warm-up, then a cosine down to 0.
    warm_up: fraction of all steps in which the learning rate rises from 0.
    weight_decay: AdamW's decay of weight matrices; biases and norms have none.
    gradient_clip: largest L2 norm of all gradients together.
    label_smoothing: probability mass spread evenly over all genres.
    class_weights: ``balanced`` weights each genre by the inverse of its frequency.
    mixup: alpha of the Beta distribution that two tracks of a batch are mixed with.
    mask_features, mask_frames: SpecAugment's largest mask, as a fraction of the feature rows and
        of the crop's frames (sequences only); masks: how many of each.
    crop_frames: frames of a training crop and of the windows that evaluation averages over;
        0 is the whole clip. A clip with fewer frames is repeated.
    ema: decay per step of the exponential moving average of the weights that is evaluated and kept.
    patience: epochs without a better validation loss after which training stops.
    monitor: the validation figure that decides which epoch's weights are kept.
    normalisation: ``rows`` gives every feature row mean 0 and deviation 1 (of the training
        tracks); ``whitening`` also decorrelates the rows of a sequence and keeps at most 40, the
        same as pooled statistics start from. Vectors and layers always get ``rows``.
    precision: ``auto`` is bf16 if the device computes it fast, else fp32.
    features_on: ``device`` keeps all training features in the device's memory, ``disk`` reads them
        as they are needed, ``auto`` is the former if they take less than half of the free memory.
    """

    epochs: PositiveInt = 60
    batch_size: PositiveInt = 32
    learning_rate: PositiveFloat = 2e-3
    warm_up: float = 0.1
    weight_decay: NonNegativeFloat = 0.02
    gradient_clip: NonNegativeFloat = 5.0
    label_smoothing: float = 0.1
    class_weights: Literal["none", "balanced"] = "none"
    mixup: NonNegativeFloat = 0.3
    mask_features: float = 0.15
    mask_frames: float = 0.15
    masks: int = 1
    crop_frames: int = 256
    ema: float = 0.0
    patience: int = 20
    monitor: Literal["loss", "accuracy", "f1"] = "loss"
    normalisation: Literal["rows", "whitening"] = "rows"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    features_on: Literal["auto", "device", "disk"] = "auto"

    def __post_init__(self) -> None:
        """Raise UsageError for a value out of its range."""
        self._check(("epochs", "batch_size", "learning_rate"), lambda v: v > 0, "above 0")
        at_least_0 = ("weight_decay", "gradient_clip", "mixup", "masks", "crop_frames", "patience")
        self._check(at_least_0, lambda v: v >= 0, "0 or more")
        fractions = ("warm_up", "label_smoothing", "mask_features", "mask_frames", "ema")
        self._check(fractions, lambda v: 0 <= v < 1, "at least 0 and below 1")

    def _check(self, names: tuple[str, ...], holds: Callable[[float], bool], what: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not holds(value):
                raise UsageError(
                    f"The training setting {name}={value} cannot be used: it must be {what}.",
                    f"Its default is {getattr(type(self), name)}.",
                )


@dataclass(frozen=True)
class HeadSpec(PluginSpec):
    """One head as requested: its name, its own parameters and the trainer's settings."""

    kind_of_plugin: ClassVar[str] = "head"

    training_settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def info(self) -> HeadInfo:
        """What the head declares."""
        assert isinstance(self.entry.info, HeadInfo)
        return self.entry.info

    @property
    def learns(self) -> list[str]:
        """The parts of a fold that it learns from. (By validation tracks, a gradient head only
        chooses when to stop.)"""
        both = self.info.trained_by == "estimator"
        return ["training", "validation"] if both else ["training"]

    @cached_property
    def training(self) -> Training:
        """The trainer's settings: its defaults, then the head's, then what was requested."""
        if self.info.trained_by == "estimator":
            if self.training_settings:
                raise UsageError(
                    f"Head {self.name!r} is fitted by scikit-learn; it has no training settings.",
                    f"Its own parameters: mgc heads show {self.name}",
                )
            return Training()
        own = getattr(self.implementation, "training_defaults", {})
        with self.blamed("training_defaults"):
            made = plugin_params.build(
                Training, {**own, **self.training_settings}, f"training of head {self.name}"
            )
        assert isinstance(made, Training)
        return made

    def check(self) -> None:
        """Find, import and check everything now. Raises MgcError."""
        _ = self.params, self.training


def taken_kind(info: HeadInfo, kind: FeatureKind) -> FeatureKind | None:
    """What a head is given for features of ``kind``: the same, ``vector`` (pooled), or None."""
    if kind in info.accepts:
        return kind
    return "vector" if "vector" in info.accepts else None


def can_take(info: HeadInfo, kind: FeatureKind) -> bool:
    """Whether a head takes features of ``kind``; one that accepts ``vector`` takes every kind."""
    return taken_kind(info, kind) is not None
