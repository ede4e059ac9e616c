from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.manifold import trustworthiness

from mgc.evaluation import maps
from mgc.evaluation.maps import embedding_map, plane
from tests.evaluation.made_runs import made_run

pytestmark = pytest.mark.usefixtures("mgc_home")


def test_folds_whose_spaces_are_turned_share_one_map() -> None:
    # The folds of a made-up run embed the same vectors, each turned by a rotation of its own.
    made = embedding_map(made_run(tracks=120, skill=2.5), method="pca")
    assert made.joined
    assert made.fit == pytest.approx(1.0, abs=0.02)
    assert "R²" in made.note
    assert len(made.points) == 120


def test_turned_spaces_are_laid_over_each_other_track_by_track() -> None:
    run = made_run(tracks=120, skill=2.5)
    rows = run.rows("test")
    shared, _ = maps.shared_space(run, rows)
    # The first fold's own embedding of the same tracks is the truth; distances tell.
    first = run.predictions[run.predictions["fold"] == 0].reset_index().set_index("track_id")
    own = run.embeddings[first.loc[rows["track_id"], "index"]]
    wanted = np.linalg.norm(own[:, None] - own[None], axis=-1)
    found = np.linalg.norm(shared[:, None] - shared[None], axis=-1)
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.99


def test_folds_that_have_nothing_in_common_keep_maps_of_their_own() -> None:
    run = made_run(tracks=120)
    strangers = np.random.default_rng(0).normal(size=run.embeddings.shape)
    run.__dict__["embeddings"] = strangers.astype(np.float32)
    made = embedding_map(run, method="pca")
    assert not made.joined
    assert made.fit is not None
    assert made.fit < maps.MIN_FIT
    assert "fold by fold" in made.note


def test_two_folds_share_no_track_to_lay_them_over_by() -> None:
    made = embedding_map(made_run(folds=2), method="pca")
    assert not made.joined
    assert made.fit is None
    assert "too few tracks" in made.note


def test_one_fold_needs_no_laying_over() -> None:
    made = embedding_map(made_run(folds=0), method="pca")
    assert made.joined
    assert made.fit is None


def test_points_fill_the_frame_and_come_out_the_same_twice() -> None:
    run = made_run(tracks=80)
    one, other = embedding_map(run), embedding_map(run)
    np.testing.assert_array_equal(one.points, other.points)
    assert np.abs(one.points).max() == pytest.approx(1.0)


def test_the_longest_direction_is_horizontal_and_distances_stay() -> None:
    rng = np.random.default_rng(0)
    slanted = rng.normal(size=(200, 2)) * [1, 5] @ [[0.8, 0.6], [-0.6, 0.8]] + 7
    points = maps._framed(slanted)
    assert abs(np.corrcoef(points.T)[0, 1]) < 0.05
    assert np.ptp(points[:, 0]) == pytest.approx(2)
    assert np.ptp(points[:, 1]) < 1
    scale = pdist(points) / pdist(slanted)
    assert np.ptp(scale) < 1e-9


def test_neighbours_stay_neighbours_also_where_most_points_are_placed_by_landmarks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(6, 10))[np.arange(600) % 6] * 4 + rng.normal(size=(600, 10))
    monkeypatch.setattr(maps, "ARRANGED", 200)
    assert trustworthiness(vectors, plane(vectors), n_neighbors=10) > 0.85


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_few_points_have_a_map_too(count: int) -> None:
    points = plane(np.random.default_rng(0).normal(size=(count, 3)))
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()


def test_home_is_left_alone(mgc_home: Path) -> None:
    run = made_run()
    before = sorted(mgc_home.rglob("*"))
    embedding_map(run, method="pca")
    assert sorted(mgc_home.rglob("*")) == before
