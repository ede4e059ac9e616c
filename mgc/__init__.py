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
    from mgc.api import (
        answering_run,
        compare,
        ensemble,
        evaluate,
        finished_runs,
        fit,
        load,
        zero_shot,
    )
    from mgc.audio.processes.workers import Workers
    from mgc.audio.samples import decode
    from mgc.prediction.bare_features import extract
    from mgc.prediction.model import Features, Model
    from mgc.prediction.prediction import Prediction
    from mgc.reporting.time_plots import picture

__version__ = "0.1.0"
_former_paths.register()

_HOMES = {
    "Features": "mgc.prediction.model:Features",
    "Model": "mgc.prediction.model:Model",
    "Prediction": "mgc.prediction.prediction:Prediction",
    "Run": "mgc.api:FinishedRun",
    "Workers": "mgc.audio.processes.workers:Workers",
    "datasets": "mgc.datasets:",
    "decode": "mgc.audio.samples:decode",
    "extract": "mgc.prediction.bare_features:extract",
    "picture": "mgc.reporting.time_plots:picture",
    **{
        name: f"mgc.api:{name}"
        for name in (
            *("answering_run", "compare", "ensemble", "evaluate"),
            *("finished_runs", "fit", "load", "zero_shot"),
        )
    },
}

__all__ = [
    "AudioError",
    "CommandInfo",
    "ExtractorInfo",
    "FeatureShape",
    "Features",
    "HeadInfo",
    "MgcError",
    "Model",
    "ModelInfo",
    "Prediction",
    "Run",
    "StrategyInfo",
    "UsageError",
    "Workers",
    "__version__",
    "answering_run",
    "compare",
    "datasets",
    "decode",
    "ensemble",
    "evaluate",
    "extract",
    "finished_runs",
    "fit",
    "hookimpl",
    "load",
    "picture",
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
