"""How often a run's sets hold the true genre, and how large they are, on tracks held out from
them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgc.errors import MgcError
from mgc.evaluation.intervals import accuracy_interval
from mgc.evaluation.systems import System
from mgc.prediction.conformal_sets import Calibration, GenreSets
from mgc.runs import Run
from mgc.runs.held_out import held_out

COVERAGE = 0.9  # what tables and reports show


def coverage_figures(run: Run, coverage: float = COVERAGE) -> dict[str, Any]:
    """The `set_figures` of a run's test tracks.

    With folds, each fold's sets are calibrated on the test tracks of the others, so no artist of
    the one is among the other; else on the validation tracks. Raises MgcError if the run has no
    tracks to calibrate on.
    """
    known = GenreSets(run, run.name).calibration
    rows = held_out(run, "test")
    inside = np.zeros(rows.shares.shape, bool)
    several = run.record.dataset.folds > 1
    for fold in np.unique(rows.folds):
        here = rows.folds == fold
        other = known.folds != fold if several else np.full(len(known.folds), True)
        columns = (known.shares[other], known.genres[other], known.groups[other])
        alone = Calibration(*columns, np.zeros(int(other.sum()), np.int64))
        inside[here] = alone.inside(rows.shares[here][:, None], coverage)
    return set_figures(inside, rows.genres, rows.groups, run.genres, coverage)


def system_figures(system: System, coverage: float = COVERAGE) -> dict[str, Any] | None:
    """The mean `coverage_figures` of a system's runs, with the interval of the one in the middle;
    None if a run has no tracks to calibrate on."""
    try:
        found = [coverage_figures(run, coverage) for run in system.runs]
    except MgcError:
        return None
    middle = sorted(found, key=lambda one: one["share"])[len(found) // 2]
    means = {name: float(np.mean([one[name] for one in found])) for name in ("share", "size")}
    by_genre = {
        genre: {
            **row,
            **{n: float(np.mean([one["by_genre"][genre][n] for one in found])) for n in means},
        }
        for genre, row in middle["by_genre"].items()
    }
    return {**middle, **means, "by_genre": by_genre}


def set_figures(
    inside: np.ndarray,
    genres: np.ndarray,
    groups: np.ndarray,
    names: Sequence[str],
    coverage: float,
) -> dict[str, Any]:
    """What sets hold: the ``share`` of tracks whose true genre is in its set, with its 95 %
    interval, by artist, the mean ``size`` of a set, and both by genre. JSON-ready.

    Args:
        inside: bool (track, genre), the sets.
        genres: the true genres' numbers (track,).
        groups: group numbers (track,).
        names: the genres' names.
        coverage: what was asked for.
    """
    covered, sizes = inside[np.arange(len(genres)), genres].astype(float), inside.sum(1)
    low, high = accuracy_interval(covered, groups)
    return {
        "coverage": coverage,
        "share": float(covered.mean()),
        "share_low": low,
        "share_high": high,
        "size": float(sizes.mean()),
        "tracks": len(genres),
        "by_genre": {
            names[genre]: {
                "share": float(covered[genres == genre].mean()),
                "size": float(sizes[genres == genre].mean()),
                "tracks": int((genres == genre).sum()),
            }
            for genre in np.unique(genres)
        },
    }
