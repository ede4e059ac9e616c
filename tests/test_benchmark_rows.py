"""The rows of ``benchmarks.accuracy``: what is left out or replaced, and the gain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mgc
from benchmarks import accuracy, pooled_again, temperatures
from benchmarks.accuracy import Scores
from benchmarks.gains import pooled_gain
from benchmarks.variants import VARIANTS, Fold, head, without
from mgc.strategies.calibration import fit_temperature, tempered
from tests.conftest import called


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, music: Path) -> Path:
    """A home with a run of MFCC over three folds."""
    folder = tmp_path_factory.mktemp("rows")
    fit = ("fit", "--data", "rows", "-e", "mfcc", "--folds", 3)
    called(folder, ("data", "add", "rows", music), fit)
    return folder


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> mgc.Run:
    monkeypatch.setenv("MGC_HOME", str(home))
    pooled_again.prepared.cache_clear()
    (found,) = accuracy.runs_of("rows", "mfcc", 1, 3)
    return found


@pytest.fixture
def fold(run: mgc.Run) -> Fold:
    return next(accuracy.folds(run, 0))


def test_the_default_row_answers_as_the_run_does(run: mgc.Run) -> None:
    rows = run.rows("test")
    for fold in accuracy.folds(run, 0):
        here = rows[rows["fold"] == rows["fold"][rows["track_id"] == fold.test.tracks[0]].item()]
        order = np.argsort(fold.test.tracks)
        made = VARIANTS["default"](fold)[order]
        np.testing.assert_allclose(made, run.probabilities(here), atol=1e-4)


def test_statistics_are_made_again_as_the_run_made_them(fold: Fold) -> None:
    again = pooled_again.pooled_again(pooled_again.whitened(40))(fold)
    np.testing.assert_allclose(again, VARIANTS["default"](fold), atol=1e-4)


def test_the_first_whitened_rows_are_those_of_fewer(fold: Fold) -> None:
    """Statistics of 20 rows are the same numbers as the first 20 of 40."""
    blocks = [np.arange(40) < 20] * 5 + [np.ones(190 + 120, bool)]
    kept = np.concatenate(blocks)
    parts = [replace(part, features=part.features[:, kept]) for part in (fold.train, fold.test)]
    narrow = replace(fold, train=parts[0], test=parts[1])
    asked = pooled_again.POOLED_AGAIN["20 whitened rows instead of 40"](fold)
    np.testing.assert_allclose(asked, VARIANTS["default"](narrow), atol=1e-4)


def test_rows_that_a_view_lacks_are_left_out(fold: Fold) -> None:
    with pytest.raises(ValueError, match="fewer than 41 rows"):
        pooled_again.POOLED_AGAIN["80 whitened rows"](fold)
    fewer = pooled_again.POOLED_AGAIN["13 coefficients"](fold)
    assert np.abs(fewer - VARIANTS["default"](fold)).max() > 1e-3
    as_mel = replace(fold, source=("rows", "mel"))
    with pytest.raises(ValueError, match="mel has no coefficients"):
        pooled_again.POOLED_AGAIN["13 coefficients"](as_mel)


def test_a_statistic_that_is_left_out_does_not_matter(fold: Fold) -> None:
    answer = without("step")(fold)
    for part in (fold.train, fold.test):
        part.features[:, 80:120] = 0  # mean and deviation are before it
    np.testing.assert_array_equal(answer, without("step")(fold))


def test_heads_answer_with_probabilities(fold: Fold) -> None:
    for variant in (VARIANTS["head svm"], head("gradient-boosting", rounds=3)):
        made = variant(fold)
        assert made.shape == (len(fold.test.genres), 3)
        np.testing.assert_allclose(made.sum(1), 1)


def test_a_temperature_comes_from_the_other_folds(run: mgc.Run) -> None:
    rows = run.rows("test")
    first = rows["fold"] == rows["fold"].min()
    others = rows[~first]
    by_artist = others["group"].to_numpy()
    scale = fit_temperature(run.probabilities(others), run.truth(others), by_artist)
    made, genres, groups = temperatures.answers(run, ("test", True))
    place = np.isin(np.sort(rows["track_id"]), rows["track_id"][first])
    expected = tempered(run.probabilities(rows[first]), scale)
    np.testing.assert_allclose(made[place], expected)
    assert len(genres) == len(groups) == 30
    table = temperatures.calibration_table("mfcc", [[run]], ["no temperature"], ["rows"])
    assert table.endswith("| +0.000 | +0.000 to +0.000 |")


def test_corpora_count_alike_and_artists_are_drawn() -> None:
    groups = np.repeat(np.arange(8), [1, 1, 1, 1, 1, 1, 1, 13])
    mean, low, high = pooled_gain(
        [(np.ones(4), np.arange(4)), (np.where(groups == 7, 0.0, 1.0), groups)]
    )
    assert mean == pytest.approx((1 + 7 / 20) / 2)
    # The last artist is drawn three times or more in 7 % of draws, four in 1 %, never in 34 %.
    assert low == pytest.approx(0.5 + 5 / (5 + 3 * 13) / 2)
    assert high == 1.0


def test_views_of_a_corpus_are_averaged_by_track() -> None:
    groups = np.array(["a", "b"])
    right = np.array([[True, False]])
    one = {"default": [Scores(right, np.array([0.5]), groups)], "mine": []}
    two = {"default": [Scores(~right, np.array([0.7]), groups)]}
    (made,) = accuracy.together([one, two])["default"]
    np.testing.assert_array_equal(made.right.mean(0), [0.5, 0.5])
    np.testing.assert_array_equal(made.f1, [0.5, 0.7])
