"""Runs × strategy → run."""

from mgc.ensembling.alignment import MIN_SHARE, Aligned, align
from mgc.ensembling.combination import Combination, StrategySpec
from mgc.ensembling.ensemble_runs import (
    EnsembleRequest,
    apply_ensemble,
    check_members,
    ensemble,
    load_combinations,
)
from mgc.ensembling.learner import LearnFrom
from mgc.ensembling.subset_search import SubsetScore, search

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
