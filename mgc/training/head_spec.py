"""A head with its parameters and training settings, and which features it can take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from mgc.errors import UsageError
from mgc.plugins import params as plugin_params
from mgc.plugins.contract import FeatureKind, HeadInfo
from mgc.plugins.plugin_spec import PluginSpec
from mgc.training.settings import Training


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
        made = plugin_params.build(
            Training, {**own, **self.training_settings}, f"training of head {self.name}"
        )
        assert isinstance(made, Training)
        return made

    def check(self) -> HeadSpec:
        """Find, import and check everything now; return self. Raises MgcError."""
        _ = self.params, self.training
        return self


def taken_kind(info: HeadInfo, kind: FeatureKind) -> FeatureKind | None:
    """What a head is given for features of ``kind``: the same, ``vector`` (pooled), or None."""
    if kind in info.accepts:
        return kind
    return "vector" if "vector" in info.accepts else None


def can_take(info: HeadInfo, kind: FeatureKind) -> bool:
    """Whether a head takes features of ``kind``; one that accepts ``vector`` takes every kind."""
    return taken_kind(info, kind) is not None
