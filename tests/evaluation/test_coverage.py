"""Coverage is measured on artists that the sets were not calibrated on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import coverage
from mgc.errors import MgcError
from mgc.evaluation.coverage import coverage_figures, set_figures, system_figures
from mgc.evaluation.systems import systems
from mgc.prediction.conformal_sets import Calibration
from mgc.runs import Run
from tests.evaluation.made_runs import made_run


def test_figures_of_sets_are_counted_by_hand() -> None:
    inside = np.array([[1, 0], [1, 1], [0, 1], [1, 0]], bool)
    found = set_figures(inside, np.array([0, 0, 1, 1]), np.arange(4), ["a", "b"], 0.9)
    assert (found["share"], found["size"], found["tracks"]) == (0.75, 1.25, 4)
    assert found["by_genre"] == {
        "a": {"share": 1.0, "size": 1.5, "tracks": 2},
        "b": {"share": 0.5, "size": 1.0, "tracks": 2},
    }
    assert found["share_low"] < 0.75 < found["share_high"]


def test_each_fold_is_measured_by_sets_of_the_others(mgc_home: Path) -> None:
    run = made_run(tracks=180, folds=3)
    found = coverage_figures(run, 0.8)
    hits, sizes = [], []
    rows = run.rows("test")
    for fold in range(3):
        own, other = rows[rows["fold"] == fold], rows[rows["fold"] != fold]
        assert not set(own["artist"]) & set(other["artist"])
        columns = run.probabilities(other), run.truth(other), other["group"].to_numpy()
        alone = Calibration(*columns, np.zeros(len(other), np.int64))
        inside = alone.inside(run.probabilities(own)[:, None], 0.8)
        hits += inside[np.arange(len(own)), run.truth(own)].tolist()
        sizes += inside.sum(1).tolist()
    assert found["share"] == pytest.approx(np.mean(hits))
    assert found["size"] == pytest.approx(np.mean(sizes))
    assert found["tracks"] == 180


def test_a_single_split_is_measured_on_its_test_tracks(mgc_home: Path) -> None:
    run = made_run(tracks=180, folds=0)
    assert coverage_figures(run)["tracks"] == (run.predictions["part"] == "test").sum()


def test_seeds_of_a_system_are_averaged(mgc_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [made_run(tracks=180, seed=seed) for seed in range(3)]
    [system] = systems(found)
    each = [coverage_figures(run) for run in found]
    made = system_figures(system)
    assert made is not None
    assert made["share"] == pytest.approx(np.mean([one["share"] for one in each]))
    folk = [one["by_genre"]["folk"]["size"] for one in each]
    assert made["by_genre"]["folk"]["size"] == pytest.approx(np.mean(folk))

    def none(run: Run, coverage: float) -> None:
        raise MgcError("No tracks.")

    monkeypatch.setattr("mgc.evaluation.coverage.coverage_figures", none)
    assert system_figures(system) is None


def test_the_benchmark_measures_the_same_and_knows_what_exact_sets_cover(mgc_home: Path) -> None:
    run = made_run(tracks=180, folds=3)
    right, sizes, groups, drawn = coverage.crossed(run, 0.8)
    found = coverage_figures(run, 0.8)
    assert (right.mean(), sizes.mean()) == pytest.approx((found["share"], found["size"]))
    assert 0.8 <= drawn.mean() <= 0.8 + 1 / 10  # at most 1 / (artists of a genre + 1) above
    assert coverage.of_artists(np.array([1.0, 0.0, 1.0]), np.array([7, 7, 9])).tolist() == [0.5, 1]
    assert f"**{100 * coverage.of_artists(right, groups).mean():.1f}**" in coverage.cell(
        [(right, sizes, groups, drawn)] * 3
    )
