"""Gradient-boosted trees (Ke et al. 2017), saved in LightGBM's own text format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import lightgbm
import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from mgc import MgcError
from mgc.heads.estimator import ScikitHead


@dataclass(frozen=True)
class LightGbmParams:
    """``rounds`` of one tree per genre, each weighted by ``learning_rate``; ``leaves`` per tree,
    each of at least ``smallest_leaf`` clips; ``features``: the share of the statistics that a tree
    may use; ``l2``: the penalty on a leaf's value; ``threads``: 0 takes all cores;
    ``class_weights``: as the trainer's."""

    rounds: int = 150
    learning_rate: float = 0.06
    leaves: int = 8
    smallest_leaf: int = 5
    features: float = 0.2
    l2: float = 1.0
    threads: int = 0
    class_weights: Literal["none", "balanced"] = "none"


@dataclass(frozen=True)
class Trees:
    """The fitted model: LightGBM's text, and the genres that its columns stand for."""

    text: str
    classes_: np.ndarray

    @cached_property
    def booster(self) -> lightgbm.Booster:
        """The trees, ready to use."""
        return lightgbm.Booster(model_str=self.text)

    def predict_proba(self, scaled: np.ndarray) -> np.ndarray:
        """(clip, feature) → probabilities (clip, genre) of the genres seen."""
        found: np.ndarray = np.asarray(self.booster.predict(scaled))
        return found if found.ndim == 2 else np.stack([1 - found, found], axis=1)


class LightGbm(ScikitHead):
    """Trees on standardised statistics; the same seed gives the same trees on any number of
    threads."""

    Params = LightGbmParams

    def classifier(self) -> Any:
        """Not used: `learn` calls LightGBM itself, whose wrapper for scikit-learn cannot be
        restored from text."""
        raise NotImplementedError

    def learn(self, scaled: np.ndarray, genres: np.ndarray, groups: np.ndarray) -> Trees:
        """Fit on standardised features of at least two genres."""
        p = self.params
        seen, numbers = np.unique(genres, return_inverse=True)
        kind: dict[str, str | int] = {"objective": "binary"}
        if len(seen) > 2:
            kind = {"objective": "multiclass", "num_class": len(seen)}
        settings = {
            **kind,
            "learning_rate": p.learning_rate,
            "num_leaves": p.leaves,
            "min_data_in_leaf": p.smallest_leaf,
            "feature_fraction": p.features,
            "lambda_l2": p.l2,
            "num_threads": p.threads,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,  # otherwise LightGBM times both ways and may choose either
            "verbosity": -1,
        }
        balance = self.class_weight
        weights = compute_sample_weight(balance, numbers) if balance else None
        data = lightgbm.Dataset(scaled, numbers, weight=weights, params=settings)
        booster = lightgbm.train(settings, data, num_boost_round=p.rounds)
        return Trees(booster.model_to_string(), seen)

    def save(self, path: Path) -> None:
        """Write one JSON file with the trees as text."""
        trees = self.estimator_
        state = {
            "n_genres": self.n_genres_,
            "mean": self.mean_.tolist(),
            "scale": self.scale_.tolist(),
            "only": self.only_,
            "genres": None if trees is None else trees.classes_.tolist(),
            "trees": None if trees is None else trees.text,
        }
        path.write_text(json.dumps(state), encoding="utf-8")

    def restore(self, path: Path) -> Self:
        """Read what `save` wrote. Raises MgcError if the file is damaged."""
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            self.n_genres_ = state["n_genres"]
            self.mean_, self.scale_ = np.array(state["mean"]), np.array(state["scale"])
            self.only_ = state["only"]
            self.estimator_ = None
            if state["trees"] is not None:
                self.estimator_ = Trees(state["trees"], np.array(state["genres"]))
                self.estimator_.booster  # noqa: B018 - raises if the text is damaged
        except (OSError, ValueError, KeyError, TypeError, lightgbm.basic.LightGBMError) as error:
            raise MgcError(f"{path} cannot be read: {error}.", "Fit the head again.") from error
        return self
