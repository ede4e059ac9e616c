"""Features × head → run: extract what is missing, train, score the test split once."""

from mgc.fitting.fit_run import fit, prepare_for, resume
from mgc.fitting.prepared import Prepared, make_folds, prepare
from mgc.fitting.request import FitRequest, check_fits, default_head, requests
from mgc.fitting.request_record import describe
from mgc.runs.models import load_source, model_folders

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
