"""The trainer: features of tracks × head → a fitted head.

What is named here is all that the rest of mgc uses. Importing the package is light; torch comes
with the first use of `fit_head`, `restore_head` or `describe_head`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mgc.training.data import TrackData
    from mgc.training.describe import describe_head
    from mgc.training.devices import resolve_device
    from mgc.training.fitted import FittedHead
    from mgc.training.fitting import fit_head
    from mgc.training.restoring import restore_head
    from mgc.training.settings import Training
    from mgc.training.specs import HeadSpec, can_take
    from mgc.training.tracking import Guarded, Named, Summary, Tracker
    from mgc.training.wandb_tracking import WandbSettings, WandbTracker

_HOMES = {
    "FittedHead": "fitted",
    "Guarded": "tracking",
    "HeadSpec": "specs",
    "Named": "tracking",
    "Summary": "tracking",
    "TrackData": "data",
    "Tracker": "tracking",
    "Training": "settings",
    "WandbSettings": "wandb_tracking",
    "WandbTracker": "wandb_tracking",
    "can_take": "specs",
    "describe_head": "describe",
    "fit_head": "fitting",
    "resolve_device": "devices",
    "restore_head": "restoring",
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
