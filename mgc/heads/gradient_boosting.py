"""Gradient-boosted trees on pooled statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from mgc.heads.estimator import ScikitHead, require
from mgc.plugins.params import NonNegativeFloat, PositiveFloat, PositiveInt


@dataclass(frozen=True)
class GradientBoostingParams:
    """``rounds`` of one small tree per genre, each weighted by ``learning_rate``; ``leaves`` per
    tree; ``feature_share``: the fraction of the statistics that a split may choose from;
    ``class_weights``: as the trainer's."""

    rounds: PositiveInt = 100
    learning_rate: PositiveFloat = 0.08
    leaves: PositiveInt = 8
    smallest_leaf: PositiveInt = 5
    l2: NonNegativeFloat = 1.0
    feature_share: float = 0.3
    class_weights: Literal["none", "balanced"] = "none"


class GradientBoosting(ScikitHead):
    """Histogram-based boosting (after LightGBM, Ke et al. 2017)."""

    Params = GradientBoostingParams
    trusted: ClassVar[tuple[str, ...]] = (
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    )

    def classifier(self) -> Any:
        """scikit-learn's classifier; early stopping is off because it would split artists."""
        p = self.params
        return HistGradientBoostingClassifier(
            max_iter=p.rounds,
            learning_rate=p.learning_rate,
            max_leaf_nodes=p.leaves,
            min_samples_leaf=p.smallest_leaf,
            l2_regularization=p.l2,
            max_features=p.feature_share,
            class_weight=self.class_weight,
            early_stopping=False,
            random_state=self.seed,
        )

    def check(self, fitted: Any) -> None:
        """Refuse trees whose nodes lead out of them, in circles, or to features that are not
        there."""
        super().check(fitted)
        require(fitted._preprocessor is None, "the preprocessor")
        require(not np.any(fitted._bin_mapper.is_categorical_), "the categorical features")
        require(fitted.n_features_in_ == len(self.mean_), "the number of features")
        count = 1 if len(fitted.classes_) == 2 else len(fitted.classes_)
        require(fitted.n_trees_per_iteration_ == count, "the number of trees")
        for trees in fitted._predictors:
            require(len(trees) == count, "the number of trees")
            for tree in trees:
                _check_tree(tree.nodes, fitted.n_features_in_)


def _check_tree(nodes: np.ndarray, features: int) -> None:
    """Raise ValueError unless every path through the nodes ends at a leaf: the children of a node
    come after it, as scikit-learn numbers them."""
    inner = nodes["is_leaf"] == 0
    children = np.stack([nodes[side][inner].astype(np.int64) for side in ("left", "right")])
    require(nodes.ndim == 1 and len(nodes) > 0, "a tree")
    require(bool((children > np.nonzero(inner)[0]).all()), "the order of a tree's nodes")
    require(bool((children < len(nodes)).all()), "the number of a tree's node")
    used = nodes["feature_idx"][inner].astype(np.int64)
    require(bool(((used >= 0) & (used < features)).all()), "the feature of a tree's node")
    require(not nodes["is_categorical"].any(), "a categorical node")
    require(bool(np.isfinite(nodes["value"]).all()), "the value of a tree's node")
