"""The common base of heads fitted by scikit-learn; plug-ins may build on it too.

A subclass names its parameters and builds a classifier:

.. code-block:: python

    class Nearest(ScikitHead):
        Params = NearestParams
        trusted = (
            "sklearn.metrics._dist_metrics.EuclideanDistance64",
            "sklearn.neighbors._kd_tree.KDTree",
        )

        def classifier(self):
            return KNeighborsClassifier(self.params.neighbours)
"""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from mgc import MgcError
from mgc.heads.large_arrays import room
from mgc.home import replace_file

#: Deviations: a standardised feature beyond this is an outlier that would dominate the fit.
MAX_DEVIATIONS = 4.0
BLOCK = 8_192  # clips standardised at once: bounds the memory for float64
MAX_RATIO = 20  # of bytes unpacked to bytes in a saved file, which is not compressed


class ScikitHead(ABC):
    """An estimator head: features are standardised and clipped, then a classifier is fitted.

    ``trusted`` lists the types in the saved file that skops does not trust by default; a file with
    any other type is rejected.
    """

    Params: ClassVar[type]
    trusted: ClassVar[tuple[str, ...]] = ()
    estimator_: Any

    def __init__(self, params: Any, seed: int) -> None:
        self.params = params
        self.seed = seed

    @property
    def class_weight(self) -> str | None:
        """The parameter ``class_weights`` in scikit-learn's words; None without it."""
        return "balanced" if getattr(self.params, "class_weights", "none") == "balanced" else None

    @abstractmethod
    def classifier(self) -> Any:
        """A fresh scikit-learn classifier with ``predict_proba``."""

    def fit(
        self, features: np.ndarray, genres: np.ndarray, groups: np.ndarray, n_genres: int
    ) -> Self:
        """Standardise (clip, feature), then fit; see `mgc.plugins.contract.EstimatorHead.fit`."""
        self.n_genres_ = n_genres
        self.mean_ = features.mean(0, dtype=np.float64)
        deviation = self._deviation(features)
        self.scale_ = np.where(deviation > 1e-9, deviation, 1.0)
        scaled = self.embed(features)
        self.only_ = int(genres[0]) if len(np.unique(genres)) == 1 else None
        self.estimator_ = self.learn(scaled, genres, groups) if self.only_ is None else None
        return self

    def learn(self, scaled: np.ndarray, genres: np.ndarray, groups: np.ndarray) -> Any:
        """Fit on standardised features of at least two genres; return the fitted estimator."""
        return self.classifier().fit(scaled, genres)

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """(clip, feature) → probabilities (clip, genre) float64; an unseen genre has 0."""
        probabilities = np.zeros((len(features), self.n_genres_))
        if self.only_ is not None:
            probabilities[:, self.only_] = 1.0
            return probabilities
        probabilities[:, self.estimator_.classes_] = self.probabilities(self.embed(features))
        return np.asarray(probabilities / probabilities.sum(1, keepdims=True))

    def probabilities(self, scaled: np.ndarray) -> np.ndarray:
        """Standardised features → probabilities of the genres seen in training."""
        found: np.ndarray = self.estimator_.predict_proba(scaled)
        return found

    def embed(self, features: np.ndarray) -> np.ndarray:
        """The standardised features (clip, feature) float32, as the classifier sees them."""
        scaled = room(*features.shape)
        for start in range(0, len(features), BLOCK):
            some = slice(start, start + BLOCK)
            exact = (features[some] - self.mean_) / self.scale_
            scaled[some] = np.clip(exact, -MAX_DEVIATIONS, MAX_DEVIATIONS)
        return scaled

    def _deviation(self, features: np.ndarray) -> np.ndarray:
        """``features.std(0)`` in float64, in the same order of summation, without a copy of all."""
        total = np.zeros((1, features.shape[1]))
        for start in range(0, len(features), BLOCK):
            squares = np.square(features[start : start + BLOCK] - self.mean_)
            total = np.concatenate([total, squares]).sum(0, keepdims=True)
        return np.asarray(np.sqrt(total[0] / len(features)))

    def save(self, path: Path) -> None:
        """Write the fitted state with skops: a zip of arrays and JSON, no pickle."""
        import skops.io

        state = {name: value for name, value in vars(self).items() if name.endswith("_")}
        replace_file(path, skops.io.dumps(state))

    def restore(self, path: Path) -> Self:
        """Read what `save` wrote. Raises MgcError for a type that is not trusted."""
        import skops.io

        try:
            _check_size(path)
            foreign = set(skops.io.get_untrusted_types(file=path)) - set(self.trusted)
            state = None if foreign else skops.io.load(path, trusted=list(self.trusted))
            if state is not None:
                self._take(state)
        except Exception as error:
            raise MgcError(
                f"{path} cannot be read: {type(error).__name__}: {error}.",
                "It is damaged, or from another version of scikit-learn; fit the head again.",
            ) from error
        if state is None:
            raise MgcError(
                f"{path} holds types that mgc does not trust: {', '.join(sorted(foreign))}.",
                "It was not written by this head, so it was not loaded.",
            )
        return self

    def _take(self, state: Any) -> None:
        vars(self).update({name: value for name, value in state.items() if name.endswith("_")})
        statistics = np.stack([self.mean_, self.scale_])
        if statistics.ndim != 2 or not np.isfinite(statistics).all():
            raise ValueError("its means and deviations are not two rows of numbers")
        if self.only_ is None:
            self.check(self.estimator_)

    def check(self, fitted: Any) -> None:
        """Raise ValueError if a restored estimator may harm: compiled code follows the indices in
        its arrays without a check. Extend it if `learn` or ``trusted`` is your own."""
        if type(self).learn is ScikitHead.learn:
            require(type(fitted) is type(self.classifier()), type(fitted).__name__)


def require(holds: bool, what: str) -> None:
    """Raise ValueError unless a part of a restored estimator is as it must be."""
    if not holds:
        raise ValueError(f"{what} is not what this head stores")


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MAX_RATIO * path.stat().st_size:
        raise ValueError(f"it would unpack to {unpacked:,} bytes")
