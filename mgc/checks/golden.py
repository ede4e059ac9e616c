"""Golden numbers: an extractor's output for one piece of music when its revision was set.

They are stored beside the code, as ``golden/NAME.json`` in the package of the module that ``load``
names, and travel with it. Numbers that change without a new ``revision`` would leave old and new
features side by side in a store, under one fingerprint.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from mgc.checks import require
from mgc.checks.base import NotApplicable, Problem, Subject
from mgc.checks.extractor_calls import heard, numbers
from mgc.errors import MgcError
from mgc.home import read_json, write_json

SECONDS = 2.0
SEED = 7
VALUES = 32  # values, spread evenly over the feature
TOLERANCE = 5e-3  # of the feature's deviation: other processors and versions round differently


def path(subject: Subject) -> Path:
    """The file with the golden numbers of a subject."""
    module = importlib.util.find_spec(subject.info.load.partition(":")[0])
    if module is None or module.origin is None:
        raise MgcError(f"The module of {subject.info.load!r} is not in a file.")
    name = f"{subject.info.name}-{subject.variant}" if subject.variant else subject.info.name
    return Path(module.origin).parent / "golden" / f"{name}.json"


def _summary(feature: np.ndarray) -> dict[str, Any]:
    """The feature's shape, mean, deviation and some of its values."""
    flat = feature.astype(np.float64).ravel()
    chosen = flat[np.linspace(0, len(flat) - 1, VALUES).round().astype(int)]
    return {
        "shape": list(feature.shape),
        "mean": float(flat.mean()),
        "deviation": float(flat.std()),
        "values": [float(f"{value:.7g}") for value in chosen],
    }


def write_numbers(subject: Subject) -> Path:
    """Store the extractor's output for the music as the numbers of its revision."""
    try:
        now = _summary(numbers(heard(subject, SECONDS, SEED)))
    except NotApplicable as reason:
        raise MgcError(f"{subject.info.name} cannot be run here: {reason}") from reason
    where = path(subject)
    write_json(where, {"revision": subject.info.revision, **now})
    return where


def compare(subject: Subject) -> None:
    """Raise `Problem` if the numbers are not those of the revision."""
    feature = numbers(heard(subject, SECONDS, SEED))
    where, revision = path(subject), subject.info.revision
    command = f"mgc plugins check {subject.info.name} --write-golden"
    if not where.exists():
        raise NotApplicable(f"no golden numbers yet: {command}")
    kept = read_json(where)
    again = f"write the numbers of the new one: {command}"
    if kept["revision"] != revision:
        raise Problem(f"golden numbers of revision {revision}", f"of {kept['revision']}", again)
    now = _summary(feature)
    wanted = f"the numbers in {where}"
    mend = f"if the change is meant, raise revision to {revision + 1} and {again}; if not, undo it"
    if now["shape"] != kept["shape"]:
        raise Problem(wanted, f"shape {now['shape']}, then {kept['shape']}", mend)
    rounding = TOLERANCE * (kept["deviation"] or 1.0)
    old, new = ([one["mean"], one["deviation"], *one["values"]] for one in (kept, now))
    require.same(old, new, f"{wanted} (rounding explains {rounding:.3g})", mend, absolute=rounding)
