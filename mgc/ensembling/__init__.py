"""Runs × strategy → run.

Importing the package is cheap: each public name is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mgc.ensembling.alignment import MIN_SHARE, Aligned, align
    from mgc.ensembling.apply import apply_ensemble, load_combinations
    from mgc.ensembling.combination import Combination, StrategySpec
    from mgc.ensembling.ensemble_runs import EnsembleRequest, check_members, ensemble
    from mgc.ensembling.learner import LearnFrom
    from mgc.ensembling.subset_search import SubsetScore, search

_HOMES = {
    "MIN_SHARE": "alignment",
    "Aligned": "alignment",
    "Combination": "combination",
    "EnsembleRequest": "ensemble_runs",
    "LearnFrom": "learner",
    "StrategySpec": "combination",
    "SubsetScore": "subset_search",
    "align": "alignment",
    "apply_ensemble": "apply",
    "check_members": "ensemble_runs",
    "ensemble": "ensemble_runs",
    "load_combinations": "apply",
    "search": "subset_search",
}

__all__ = [
    "MIN_SHARE",
    "Aligned",
    "Combination",
    "EnsembleRequest",
    "LearnFrom",
    "StrategySpec",
    "SubsetScore",
    "align",
    "apply_ensemble",
    "check_members",
    "ensemble",
    "load_combinations",
    "search",
]


def __getattr__(name: str) -> Any:
    """Import a public name's module when the name is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
