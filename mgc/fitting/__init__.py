"""Features × head → run: extract what is missing, train, score the test split once."""

from mgc.fitting.fit_run import fit, prepare_for, resume
from mgc.fitting.fold_workers import FoldWorkers
from mgc.fitting.local_folds import side_by_side
from mgc.fitting.prepared import make_folds
from mgc.fitting.request import FitRequest, fitted_once, requests

__all__ = [
    "FitRequest",
    "FoldWorkers",
    "fit",
    "fitted_once",
    "make_folds",
    "prepare_for",
    "requests",
    "resume",
    "side_by_side",
]
