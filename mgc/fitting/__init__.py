"""Features × head → run: extract what is missing, train, score the test split once."""

from mgc.fitting.fit_run import fit, prepare_for, resume
from mgc.fitting.prepared import Prepared, make_folds, prepare
from mgc.fitting.request import FitRequest, check_fits, describe, requests

__all__ = [
    "FitRequest",
    "Prepared",
    "check_fits",
    "describe",
    "fit",
    "make_folds",
    "prepare",
    "prepare_for",
    "requests",
    "resume",
]
