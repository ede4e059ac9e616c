"""Features × head → run: extract what is missing, train, score the test split once."""

from mgc.fitting.making import fit, prepare_for, resume
from mgc.fitting.prepared import Prepared, make_folds, prepare
from mgc.fitting.record import describe, load_source, model_folders
from mgc.fitting.request import FitRequest, check_fits, default_head, requests

__all__ = [
    "FitRequest",
    "Prepared",
    "check_fits",
    "default_head",
    "describe",
    "fit",
    "load_source",
    "make_folds",
    "model_folders",
    "prepare",
    "prepare_for",
    "requests",
    "resume",
]
