"""Multinomial logistic regression drawn towards given weights; two strategies are built on it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from mgc.strategies.calibration import softmax

MAX_STEPS = 500  # of L-BFGS; the loss is convex, so it finishes well before


def fit_softmax(
    features: np.ndarray,
    genres: np.ndarray,
    n_genres: int,
    penalty: float,
    towards: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (feature, genre) and biases (genre,) of ``softmax(features @ weights + biases)``.

    Minimises the summed negative log-likelihood plus half ``penalty`` times the squared distance
    of the weights from ``towards`` (feature, genre; 0 by default) and of the biases from 0. Since
    biases are drawn to 0 too, a genre without tracks here becomes unlikely, not impossible.

    Args:
        features: (track, feature) float.
        genres: genre numbers (track,).
    """
    prior = np.zeros((features.shape[1], n_genres)) if towards is None else towards
    rows = np.arange(len(genres))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        moved = flat.reshape(-1, n_genres)
        probabilities = softmax(features @ (prior + moved[:-1]) + moved[-1])
        chosen = np.maximum(probabilities[rows, genres], np.finfo(float).tiny)
        value = -np.log(chosen).sum() + penalty / 2 * (flat @ flat)
        probabilities[rows, genres] -= 1
        slopes = np.vstack([features.T @ probabilities, probabilities.sum(0)])
        return float(value), (slopes + penalty * moved).ravel()

    start = np.zeros((features.shape[1] + 1) * n_genres)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MAX_STEPS, "maxfun": 2_000}
    )
    moved = found.x.reshape(-1, n_genres)
    return prior + moved[:-1], moved[-1]
