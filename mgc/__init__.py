"""mgc: which genre is this, how sure are we, and which view of the sound tells us?

This is the whole public surface: what a notebook or a service calls (docs/api.md), and what a
plug-in needs to declare itself. Importing it loads neither numpy nor torch: the functions are
imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mgc.errors import AudioError, MgcError, UsageError
from mgc.plugins import former_paths as _former_paths
from mgc.plugins.contract import (
    CommandInfo,
    ExtractorInfo,
    FeatureShape,
    HeadInfo,
    ModelInfo,
    StrategyInfo,
)
from mgc.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from mgc import datasets
    from mgc.api import FinishedRun as Run
    from mgc.api import compare, ensemble, evaluate, extract, fit, load, zero_shot
    from mgc.prediction.model import Model
    from mgc.prediction.prediction import Prediction

__version__ = "0.1.0"
_former_paths.register()

_HOMES = {
    "Model": "mgc.prediction.model:Model",
    "Prediction": "mgc.prediction.prediction:Prediction",
    "Run": "mgc.api:FinishedRun",
    "datasets": "mgc.datasets:",
    **{
        name: f"mgc.api:{name}"
        for name in ("compare", "ensemble", "evaluate", "extract", "fit", "load", "zero_shot")
    },
}

__all__ = [
    "AudioError",
    "CommandInfo",
    "ExtractorInfo",
    "FeatureShape",
    "HeadInfo",
    "MgcError",
    "Model",
    "ModelInfo",
    "Prediction",
    "Run",
    "StrategyInfo",
    "UsageError",
    "__version__",
    "compare",
    "datasets",
    "ensemble",
    "evaluate",
    "extract",
    "fit",
    "hookimpl",
    "load",
    "zero_shot",
]


def __getattr__(name: str) -> Any:
    """Import a public name's module when the name is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    found: Any = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
