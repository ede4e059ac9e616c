"""Logistic regression on pooled statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import PositiveFloat, PositiveInt
from sklearn.linear_model import LogisticRegression

from mgc.heads.estimator import ScikitHead


@dataclass(frozen=True)
class LogisticParams:
    """``C`` is the inverse strength of the L2 penalty; small, for there are more statistics
    than tracks in most collections."""

    C: PositiveFloat = 0.03
    max_iter: PositiveInt = 2000


class Logistic(ScikitHead):
    """Multinomial logistic regression with an L2 penalty."""

    Params = LogisticParams

    def classifier(self) -> Any:
        """scikit-learn's, fitted by L-BFGS."""
        return LogisticRegression(C=self.params.C, max_iter=self.params.max_iter)
