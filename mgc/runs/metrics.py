"""Figures of merit: pure functions on arrays, scored by track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

if TYPE_CHECKING:
    import pandas as pd

    from mgc.runs import Run

Z95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution
ECE_BINS = 15  # equal-width bins of confidence, as in Guo et al. 2017
MIN_PROBABILITY = 1e-12


def wilson(hits: float, count: float) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson 1927), in [0, 1]."""
    if not count:
        return 0.0, 1.0
    rate, spread = hits / count, Z95**2 / count
    middle = (rate + spread / 2) / (1 + spread)
    half = Z95 * np.sqrt(rate * (1 - rate) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def summary(genres: np.ndarray, probabilities: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Every figure of one scored set.

    Args:
        genres: true genre numbers (track,), in [0, genre).
        probabilities: (track, genre), rows sum to 1.
        names: the genre names, in the order of the columns.

    Returns:
        accuracy with its 95 % interval, macro precision, recall and F1 over the genres
        that occur, negative log-likelihood (nat), expected calibration error, per-genre figures and
        the confusion matrix (true genre, predicted genre) in tracks. JSON-ready.

    Raises:
        ValueError: there are no tracks.
    """
    if not len(genres):
        raise ValueError("there is nothing to score")
    predicted = probabilities.argmax(axis=1)
    hits, count = int((predicted == genres).sum()), len(genres)
    low, high = wilson(hits, count)
    labels = np.arange(len(names))
    columns = precision_recall_fscore_support(genres, predicted, labels=labels, zero_division=0)
    precision, recall, f1, _ = (column[columns[3] > 0] for column in columns)
    return {
        "tracks": count,
        "accuracy": hits / count,
        "accuracy_low": low,
        "accuracy_high": high,
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
        "f1": float(f1.mean()),
        "nll": negative_log_likelihood(genres, probabilities),
        "ece": expected_calibration_error(genres, probabilities),
        "by_genre": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "tracks": int(n)}
            for name, p, r, f, n in zip(names, *columns, strict=True)
        },
        "confusion": confusion_matrix(genres, predicted, labels=labels).tolist(),
    }


def scores(run: Run, predictions: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """`summary` of the validation and the test rows of a run's predictions, pooled over folds."""
    parts = {part: predictions[predictions["part"] == part] for part in ("validation", "test")}
    return {
        part: summary(run.truth(rows), run.probabilities(rows), run.genres)
        for part, rows in parts.items()
        if len(rows)
    }


def agree(said: Any, made: Mapping[str, Any]) -> bool:
    """Whether figures that were read from a file are those that were computed, but for rounding."""
    if not isinstance(said, Mapping) or said.get("confusion") != made["confusion"]:
        return False
    figures = {name: value for name, value in made.items() if isinstance(value, float)}
    return all(
        isinstance(said.get(name), int | float)
        and isclose(said[name], value, rel_tol=1e-6, abs_tol=1e-6)
        for name, value in figures.items()
    )


def negative_log_likelihood(genres: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -ln p(true genre), in nat; 0 is perfect."""
    chosen = probabilities[np.arange(len(genres)), genres]
    return float(-np.log(np.clip(chosen, MIN_PROBABILITY, 1.0)).mean())


def expected_calibration_error(genres: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean gap between confidence and accuracy over bins of confidence, in [0, 1].

    Guo et al. 2017, "On Calibration of Modern Neural Networks", with `ECE_BINS` bins.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == genres
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = [
        (bins == b).mean() * abs(confidence[bins == b].mean() - right[bins == b].mean())
        for b in np.unique(bins)
    ]
    return float(np.sum(gaps))
