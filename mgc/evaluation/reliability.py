"""Whether a model is right as often as its confidence claims."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mgc.runs import Run
from mgc.runs.metrics import ECE_BINS, wilson


@dataclass(frozen=True)
class Bin:
    """The tracks whose confidence lies in [low, high).

    ``confidence`` and ``accuracy`` are means over these tracks, the latter with its 95 % interval
    (Wilson; tracks treated as independent).
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    tracks: int


def reliability(run: Run) -> list[Bin]:
    """The bins of a reliability diagram of the test rows; empty ones are left out.

    The bins are those of `mgc.runs.metrics.expected_calibration_error`, so its value is the mean
    distance of these points from the diagonal, weighted by tracks.
    """
    rows = run.rows("test")
    return bins(run.truth(rows), run.probabilities(rows))


def bins(genres: np.ndarray, probabilities: np.ndarray) -> list[Bin]:
    """See `reliability`. ``genres`` (track,) are numbers, ``probabilities`` (track, genre)."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == genres
    number = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    made = []
    for b in np.unique(number):
        here = number == b
        hits, count = int(right[here].sum()), int(here.sum())
        low, high = wilson(hits, count)
        mean = float(confidence[here].mean())
        made.append(Bin(b / ECE_BINS, (b + 1) / ECE_BINS, mean, hits / count, low, high, count))
    return made
