"""The trainer: features of tracks × head → a fitted head.

The rest of mgc uses only the names listed here. Importing the package is cheap; torch is imported
on the first use of `fit_head`, `restore_head` or `describe_head`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mgc.training.devices import resolve_device
    from mgc.training.fit import fit_head
    from mgc.training.fitted_head import FittedHead
    from mgc.training.head_spec import HeadSpec, can_take
    from mgc.training.head_summary import describe_head
    from mgc.training.restore import restore_head
    from mgc.training.settings import Training
    from mgc.training.track_data import TrackData
    from mgc.training.tracking import Guarded, Named, Summary, Tracker
    from mgc.training.wandb_tracking import WandbSettings, WandbTracker

_HOMES = {
    "FittedHead": "fitted_head",
    "Guarded": "tracking",
    "HeadSpec": "head_spec",
    "Named": "tracking",
    "Summary": "tracking",
    "TrackData": "track_data",
    "Tracker": "tracking",
    "Training": "settings",
    "WandbSettings": "wandb_tracking",
    "WandbTracker": "wandb_tracking",
    "can_take": "head_spec",
    "describe_head": "head_summary",
    "fit_head": "fit",
    "resolve_device": "devices",
    "restore_head": "restore",
}

__all__ = [
    "FittedHead",
    "Guarded",
    "HeadSpec",
    "Named",
    "Summary",
    "TrackData",
    "Tracker",
    "Training",
    "WandbSettings",
    "WandbTracker",
    "can_take",
    "describe_head",
    "fit_head",
    "resolve_device",
    "restore_head",
]


def __getattr__(name: str) -> Any:
    """Import a public name's module when the name is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
