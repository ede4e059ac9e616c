"""Gradient-boosted trees on pooled statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from sklearn.ensemble import HistGradientBoostingClassifier

from mgc.heads.estimator import ScikitHead
from mgc.plugins.params import PositiveFloat, PositiveInt


@dataclass(frozen=True)
class GradientBoostingParams:
    """``rounds`` of one small tree per genre, each weighted by ``learning_rate``; ``leaves`` per
    tree; ``feature_share``: the fraction of the statistics that a split may choose from;
    ``class_weights``: as the trainer's."""

    rounds: PositiveInt = 100
    learning_rate: PositiveFloat = 0.08
    leaves: PositiveInt = 8
    smallest_leaf: PositiveInt = 5
    l2: float = 1.0
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
