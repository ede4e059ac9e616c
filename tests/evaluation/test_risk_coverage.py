import numpy as np
import pandas as pd
import pytest

from mgc.evaluation.risk_coverage import risk_coverage
from mgc.runs import PREFIX
from tests.evaluation.made_runs import made_run

pytestmark = pytest.mark.usefixtures("mgc_home")


class FewAnswers:
    """A run of answers given by (confidence, right)."""

    genres = ("a", "b")

    def __init__(self, answers: list[tuple[float, bool]]) -> None:
        shares = np.array([[sure, 1 - sure] for sure, _ in answers])
        self.table = pd.DataFrame(shares, columns=[PREFIX + genre for genre in self.genres])
        self.right = np.array([right for _, right in answers])

    def rows(self, part: str) -> pd.DataFrame:
        return self.table

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        return rows.to_numpy()

    def truth(self, rows: pd.DataFrame) -> np.ndarray:
        return np.where(self.right, 0, 1)


def test_the_curve_by_hand() -> None:
    found = risk_coverage(FewAnswers([(0.6, False), (0.9, True), (0.7, True), (0.8, False)]))
    np.testing.assert_allclose(found.coverage, [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(found.risk, [0, 1 / 2, 1 / 3, 1 / 2])
    assert found.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert [found.at(share) for share in (0.5, 0.6, 1.0)] == pytest.approx([1 / 2, 1 / 3, 1 / 2])


def test_equal_confidences_count_the_same_in_any_order() -> None:
    answers = [(0.9, False), (0.7, True), (0.7, False), (0.7, True)]
    there, back = (risk_coverage(FewAnswers(some)) for some in (answers, answers[::-1]))
    np.testing.assert_allclose(there.risk, back.risk)
    np.testing.assert_allclose(there.risk, [1, (1 + 1 / 3) / 2, (1 + 2 / 3) / 3, 2 / 4])


def test_all_answered_is_the_error_of_the_run() -> None:
    run = made_run(skill=1.0)
    found = risk_coverage(run)
    assert found.at(1.0) == pytest.approx(1 - run.scores["test"]["accuracy"])
    assert len(found.risk) == run.scores["test"]["tracks"]
