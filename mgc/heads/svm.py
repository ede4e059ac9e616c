"""Support vector machine on pooled statistics, with calibrated probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import SVC

from mgc.heads.estimator import ScikitHead, require
from mgc.plugins.params import PositiveFloat

CALIBRATION_FOLDS = 4
LOG_TEMPERATURES = (-3.0, 3.0)  # the scale of the decisions is searched from 1/20 to 20


@dataclass(frozen=True)
class SvmParams:
    """``C``: the price of a training error; ``gamma``: the width of the RBF kernel;
    ``class_weights``: as the trainer's."""

    C: PositiveFloat = 3.0
    gamma: PositiveFloat | Literal["scale", "auto"] = "scale"
    class_weights: Literal["none", "balanced"] = "none"


class Svm(ScikitHead):
    """RBF kernel, one against one.

    Probabilities are the softmax of the decision values times one number, which is fitted on
    artists that the machine was not trained on (temperature scaling, Guo et al. 2017). It changes
    no decision, and a few tracks per genre are enough to estimate it, unlike the two numbers per
    genre of Platt's sigmoid.
    """

    Params = SvmParams

    def classifier(self) -> Any:
        """scikit-learn's."""
        return SVC(
            C=self.params.C,
            gamma=self.params.gamma,
            class_weight=self.class_weight,
            random_state=self.seed,
        )

    def learn(self, scaled: np.ndarray, genres: np.ndarray, groups: np.ndarray) -> Any:
        """Fit on everything; the scale of the decisions comes from inner folds by artist."""
        self.sharpness_ = self._sharpness(scaled, genres, groups)
        return self.classifier().fit(scaled, genres)

    def probabilities(self, scaled: np.ndarray) -> np.ndarray:
        """Standardised features → probabilities of the genres seen in training."""
        found: np.ndarray = softmax(self.sharpness_ * decisions(self.estimator_, scaled), axis=1)
        return found

    def check(self, fitted: Any) -> None:
        """Refuse arrays whose sizes do not fit together."""
        require(type(fitted) is SVC, type(fitted).__name__)
        classes, (vectors, features) = len(fitted.classes_), fitted.support_vectors_.shape
        pairs = classes * (classes - 1) // 2
        require(features == len(self.mean_) == fitted.shape_fit_[1], "the number of features")
        require(fitted.support_.shape == (vectors,), "the support")
        counts = fitted._n_support
        require(counts.shape == (classes,) and counts.min() >= 0, "the support of a genre")
        require(int(counts.sum(dtype=np.int64)) == vectors, "the support of a genre")
        for coefficients in (fitted.dual_coef_, fitted._dual_coef_):
            require(coefficients.shape == (classes - 1, vectors), "the coefficients")
        for bias in (fitted.intercept_, fitted._intercept_):
            require(bias.shape == (pairs,), "the intercepts")
        require(
            (fitted.kernel, fitted._impl, fitted._sparse) == ("rbf", "c_svc", False), "the kernel"
        )
        require(not len(fitted._probA) and not len(fitted._probB), "the calibration")

    def _sharpness(self, scaled: np.ndarray, genres: np.ndarray, groups: np.ndarray) -> float:
        seen, numbers = np.unique(genres, return_inverse=True)
        fewest = min(len(np.unique(groups[numbers == n])) for n in range(len(seen)))
        if fewest < 2:
            return 1.0  # a genre with one artist: nothing to calibrate on
        values = np.zeros((len(genres), len(seen)))
        folds = StratifiedGroupKFold(
            min(CALIBRATION_FOLDS, fewest), shuffle=True, random_state=self.seed
        )
        for train, held_out in folds.split(scaled, genres, groups):
            if len(np.unique(genres[train])) < len(seen):
                return 1.0
            machine = self.classifier().fit(scaled[train], genres[train])
            values[held_out] = decisions(machine, scaled[held_out])
        return _best_scale(values, numbers)


def decisions(machine: Any, scaled: np.ndarray) -> np.ndarray:
    """(clip, genre) decision values, even if there are only two genres."""
    values: np.ndarray = machine.decision_function(scaled)
    return values if values.ndim == 2 else np.stack([-values, values], axis=1)


def _best_scale(values: np.ndarray, genres: np.ndarray) -> float:
    """The factor for ``values`` that gives their softmax the lowest log loss."""
    rows = np.arange(len(genres))

    def loss(log_scale: float) -> float:
        return -float(log_softmax(np.exp(log_scale) * values, axis=1)[rows, genres].mean())

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded").x))
