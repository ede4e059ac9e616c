"""How many answers are wrong if only those are kept that a system is surest of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mgc.runs import Run


@dataclass(frozen=True)
class RiskCoverage:
    """The risk-coverage curve of a run's test tracks (El-Yaniv and Wiener 2010).

    Attributes:
        coverage: shares of the tracks that are answered, the surest first, (track,), rising to 1.
        risk: the shares of these answers that are wrong, (track,).
    """

    coverage: np.ndarray
    risk: np.ndarray

    @property
    def aurc(self) -> float:
        """The area under the curve (Geifman and El-Yaniv 2017): the mean risk over coverages."""
        return float(self.risk.mean())

    def at(self, coverage: float) -> float:
        """The risk if this share of the tracks is answered."""
        return float(self.risk[np.searchsorted(self.coverage, coverage - 1e-9)])


def risk_coverage(run: Run) -> RiskCoverage:
    """The curve of the test rows. Tracks of equal confidence are taken in random order on average,
    so the order of the rows does not matter."""
    rows = run.rows("test")
    probabilities = run.probabilities(rows)
    sure = pd.Series(probabilities.max(1))
    wrong = pd.Series((probabilities.argmax(1) != run.truth(rows)).astype(float))
    wrong = wrong.groupby(sure).transform("mean")[sure.sort_values(ascending=False).index]
    counts = np.arange(1, len(rows) + 1)
    return RiskCoverage(counts / len(rows), wrong.to_numpy().cumsum() / counts)
