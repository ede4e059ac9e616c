"""Scores of a validation split, by track."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import f1_score

MIN_PROBABILITY = 1e-12


def track_scores(probabilities: np.ndarray, genres: np.ndarray) -> dict[str, float]:
    """Log loss (nat), accuracy and macro F1 of (track, genre) against genre numbers (track,)."""
    chosen = probabilities.argmax(1)
    right = probabilities[np.arange(len(genres)), genres]
    return {
        "loss": float(-np.log(np.maximum(right, MIN_PROBABILITY)).mean()),
        "accuracy": float((chosen == genres).mean()),
        "f1": float(f1_score(genres, chosen, average="macro", zero_division=0)),
    }


def is_better(score: float, best: float, monitor: str) -> bool:
    """Whether a score of that kind beats the best one so far."""
    return score < best if monitor == "loss" else score > best


def balanced_weights(genres: np.ndarray, n_genres: int) -> np.ndarray:
    """Weight of each genre (genre,): inverse of its frequency; an absent genre has 0."""
    counts = np.bincount(genres, minlength=n_genres)
    weights = np.divide(len(genres), counts, out=np.zeros(n_genres), where=counts > 0)
    return np.asarray(weights / max(1, np.count_nonzero(counts)))
