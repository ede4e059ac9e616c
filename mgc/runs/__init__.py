"""The run folder: what was asked, what was trained, what it predicted, and how good that is."""

from mgc.runs.record import SCHEMA, RunRecord
from mgc.runs.run import (
    ENVIRONMENT,
    PARTS,
    PREFIX,
    Run,
    damaged,
    environment,
    everything,
    finish,
    load,
    load_finished,
    lock_file,
    names,
    remove,
    runs_home,
    same_tracks,
    start,
)

__all__ = [
    "ENVIRONMENT",
    "PARTS",
    "PREFIX",
    "SCHEMA",
    "Run",
    "RunRecord",
    "damaged",
    "environment",
    "everything",
    "finish",
    "load",
    "load_finished",
    "lock_file",
    "names",
    "remove",
    "runs_home",
    "same_tracks",
    "start",
]
