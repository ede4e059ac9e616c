"""The defaults of linear heads and what could replace each: the rows of ``benchmarks.accuracy``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from mgc.training.head_spec import HeadSpec

GRID = (0.003, 0.01, 0.03, 0.1, 0.3)
INNER = 4
C = 0.03  # the default of the head logistic
LEADING = 20  # rows with correlations and modulations; mgc.heads.pooling
BANDS = 6


@dataclass(frozen=True)
class Part:
    """Rows of a fold: features (track, dimension), genre numbers and groups (track,)."""

    features: np.ndarray
    genres: np.ndarray
    groups: np.ndarray
    tracks: np.ndarray


@dataclass(frozen=True)
class Fold:
    """One fold of a run; ``train`` is all that its head learnt from, ``alone`` of it what is not in
    the validation part, ``source`` the dataset and the extractor."""

    train: Part
    test: Part
    n_genres: int
    seed: int
    alone: Part | None = None
    source: tuple[str, str] = ("", "")


Variant = Callable[[Fold], np.ndarray]  # → probabilities of the test tracks (track, genre)


def logistic(fold: Fold, c: float = C, weights: str | None = "balanced") -> np.ndarray:
    """scikit-learn's, as the head fits it."""
    machine = LogisticRegression(C=c, max_iter=2000, class_weight=weights)
    return _whole(machine.fit(fold.train.features, fold.train.genres), fold)


def _whole(machine: Any, fold: Fold) -> np.ndarray:
    answer = np.zeros((len(fold.test.genres), fold.n_genres))
    answer[:, machine.classes_] = machine.predict_proba(fold.test.features)
    return answer


def chosen(fold: Fold, fit: Callable[[Fold, float], np.ndarray] = logistic) -> np.ndarray:
    """The regularisation of ``fit`` with the least log loss in inner folds by artist."""
    train = fold.train
    losses = np.zeros(len(GRID))
    inner = StratifiedGroupKFold(INNER, shuffle=True, random_state=fold.seed)
    warnings.filterwarnings("ignore", "The least populated class")  # then some lack a genre
    for inside, outside in inner.split(train.features, train.genres, train.groups):
        parts = [
            Part(train.features[at], train.genres[at], train.groups[at], train.tracks[at])
            for at in (inside, outside)
        ]
        for number, c in enumerate(GRID):
            answer = fit(Fold(*parts, fold.n_genres, fold.seed), c)
            told = answer[np.arange(len(outside)), train.genres[outside]]
            losses[number] -= np.log(np.maximum(told, 1e-7)).sum()
    return fit(fold, GRID[int(losses.argmin())])


def prior_corrected(fold: Fold) -> np.ndarray:
    """Each genre's probability divided by its share of the training tracks."""
    shares = np.bincount(fold.train.genres, minlength=fold.n_genres) / len(fold.train.genres)
    answer = logistic(fold, weights=None) / np.maximum(shares, 1e-9)
    return np.asarray(answer / answer.sum(1, keepdims=True))


def head(name: str, **params: Any) -> Variant:
    """Another estimator head that ships with mgc."""

    def variant(fold: Fold) -> np.ndarray:
        spec, train = HeadSpec(name, params), fold.train
        fitted = spec.implementation(spec.params, fold.seed)
        fitted.fit(train.features, train.genres, train.groups, fold.n_genres)
        return np.asarray(fitted.predict_proba(fold.test.features))

    return variant


def without_validation(fold: Fold) -> np.ndarray:
    """The default head, fitted on the training part alone."""
    assert fold.alone is not None
    return logistic(replace(fold, train=fold.alone))


def without(*names: str) -> Variant:
    """The default head without some of the pooled statistics."""

    def variant(fold: Fold) -> np.ndarray:
        width = fold.train.features.shape[1]
        rows = _rows(width)
        leading = min(LEADING, rows)
        sizes = dict.fromkeys(("mean", "deviation", "step", "skewness", "kurtosis"), rows)
        sizes |= {"correlation": leading * (leading - 1) // 2, "modulation": leading * BANDS}
        kept = np.concatenate([np.full(n, name not in names) for name, n in sizes.items()])
        parts = [replace(p, features=p.features[:, kept]) for p in (fold.train, fold.test)]
        return logistic(Fold(*parts, fold.n_genres, fold.seed))

    return variant


def _rows(width: int) -> int:
    """How many whitened rows a sequence had, from the number of its statistics."""
    for rows in range(1, 41):
        leading = min(LEADING, rows)
        if 5 * rows + leading * (leading - 1) // 2 + leading * BANDS == width:
            return rows
    raise ValueError(f"{width} numbers are not the statistics of a sequence")


VARIANTS: dict[str, Variant] = {
    "default": logistic,
    **{f"C = {c}": (lambda fold, c=c: logistic(fold, c)) for c in GRID if c != C},
    "C chosen in inner folds": chosen,
    "without class weights": lambda fold: logistic(fold, weights=None),
    "divided by the prior instead": prior_corrected,
    "learns from the training part alone": without_validation,
    "head svm": head("svm"),
    "head svm, balanced": head("svm", class_weights="balanced"),
    "head gradient-boosting": head("gradient-boosting"),
    "without skewness and kurtosis": without("skewness", "kurtosis"),
    "without step": without("step"),
    "without correlations": without("correlation"),
    "without step, skewness and kurtosis": without("step", "skewness", "kurtosis"),
    "without these and correlations": without("step", "skewness", "kurtosis", "correlation"),
    "without modulations": without("modulation"),
    "mean and deviation only": without("step", "skewness", "kurtosis", "correlation", "modulation"),
}
