"""Logistic regression on pooled statistics."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from mgc import MgcError
from mgc.heads.estimator import ScikitHead, require
from mgc.home import replace_file
from mgc.plugins.params import PositiveFloat, PositiveInt
from mgc.strategies.calibration import softmax


@dataclass(frozen=True)
class LogisticParams:
    """``C`` is the inverse strength of the L2 penalty; it is small because most collections have
    fewer tracks than there are statistics. ``class_weights``: as the trainer's; balanced, since
    that finds rare genres more often and costs no accuracy."""

    C: PositiveFloat = 0.03
    max_iter: PositiveInt = 2000
    class_weights: Literal["none", "balanced"] = "balanced"


@dataclass(frozen=True)
class LinearClassifier:
    """A fitted multinomial logistic regression: three arrays, enough to predict with.

    ``coef_`` (genre, feature) and ``intercept_`` (genre,), a single row of each if there are two
    genres; ``classes_`` (genre,) are the genre numbers. The columns of ``coef_`` are contiguous in
    memory, as scikit-learn leaves them: another order would round differently.
    """

    coef_: np.ndarray
    intercept_: np.ndarray
    classes_: np.ndarray

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """(clip, feature) → (clip, genre): scikit-learn's arithmetic, step by step."""
        scores = features @ self.coef_.T + self.intercept_
        if len(self.classes_) == 2:
            second = 1 / (1 + np.exp(-scores[:, 0]))
            return np.stack([1 - second, second], axis=1)
        return softmax(scores)


class Logistic(ScikitHead):
    """Multinomial logistic regression with an L2 penalty.

    scikit-learn fits it. What was learnt is kept as plain arrays (safetensors), so predicting
    needs neither scikit-learn nor skops; skops files from earlier versions of mgc can still be
    read.
    """

    Params = LogisticParams
    file: ClassVar[str] = "estimator.safetensors"

    def classifier(self) -> Any:
        """scikit-learn's classifier, fitted by L-BFGS."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(
            C=self.params.C, max_iter=self.params.max_iter, class_weight=self.class_weight
        )

    def learn(self, scaled: np.ndarray, genres: np.ndarray, groups: np.ndarray) -> Any:
        """Fit on standardised features of at least two genres."""
        fitted = super().learn(scaled, genres, groups)
        coef, intercept = fitted.coef_, fitted.intercept_
        if len(fitted.classes_) == 2:  # numpy has no bit-equal float32 sigmoid
            coef, intercept = coef.astype(np.float64), intercept.astype(np.float64)
        return LinearClassifier(np.asfortranarray(coef), intercept, fitted.classes_)

    def check(self, fitted: Any) -> None:
        """Refuse another estimator than scikit-learn's."""
        require(type(fitted) is type(self.classifier()), type(fitted).__name__)

    def save(self, path: Path) -> None:
        """Write the learnt arrays as safetensors."""
        from safetensors.numpy import save as save_arrays

        arrays = {"mean": self.mean_, "scale": self.scale_, "genres": np.array([self.n_genres_])}
        if self.estimator_ is None:
            arrays["only"] = np.array([self.only_])
        else:
            fitted = self.estimator_
            arrays |= {"coef_t": fitted.coef_.T, "intercept": fitted.intercept_}
            arrays["classes"] = fitted.classes_
        whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        replace_file(path, save_arrays(whole, metadata={"head": "logistic"}))

    def restore(self, path: Path) -> Self:
        """Read what `save` wrote, or what an earlier version of mgc wrote with skops.

        Raises MgcError if the file is damaged or holds a type that is not trusted.
        """
        if zipfile.is_zipfile(path):
            return super().restore(path)
        from safetensors.numpy import load_file

        try:
            arrays = load_file(path)
            self.mean_, self.scale_ = arrays["mean"], arrays["scale"]
            self.n_genres_ = int(arrays["genres"][0])
            self.only_ = int(arrays["only"][0]) if "only" in arrays else None
            self.estimator_ = None
            if self.only_ is None:
                self.estimator_ = LinearClassifier(
                    arrays["coef_t"].T, arrays["intercept"], arrays["classes"]
                )
        except Exception as error:  # safetensors' own error has no public base class
            raise MgcError(
                f"{path} cannot be read: {type(error).__name__}: {error}.",
                "It is damaged; fit the head again.",
            ) from error
        return self
