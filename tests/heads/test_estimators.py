"""The heads that scikit-learn fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mgc.errors import MgcError
from mgc.heads import estimator
from mgc.heads.estimator import ScikitHead
from mgc.heads.svm import Svm, decisions
from mgc.plugins import registry
from mgc.plugins.contract import EstimatorHead
from mgc.training.head_spec import HeadSpec

NAMES = [
    entry.info.name
    for entry in registry.catalogue().entries("head")
    if entry.distribution == "mgc" and getattr(entry.info, "trained_by", "") == "estimator"
]


def made(name: str, seed: int = 0, **settings: Any) -> Any:
    spec = HeadSpec(name, settings)
    return spec.implementation(spec.params, seed)


def clouds(clips: int = 60, genres: int = 3, features: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(clips) % genres
    centres = rng.normal(size=(genres, features)) * 2
    return (centres[labels] + rng.normal(size=(clips, features))).astype(np.float32), labels


def test_there_are_three() -> None:
    assert NAMES == ["gradient-boosting", "logistic", "svm"]


@pytest.mark.parametrize("block", [7, 60, 1_000])
def test_blocks_are_standardised_as_the_whole(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(estimator, "BLOCK", block)
    x, y = clouds()
    x = 3 + x.repeat(5, axis=1) ** 3
    head = made("logistic").fit(x, y, np.arange(60), 3)
    mean, deviation = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)
    np.testing.assert_array_equal(head.scale_, deviation)
    whole = np.clip((x - mean) / deviation, -4, 4).astype(np.float32)
    np.testing.assert_array_equal(head.embed(x), whole)
    assert (np.abs(whole) == 4).any()


@pytest.mark.parametrize("name", NAMES)
class TestEveryEstimator:
    def test_keeps_the_contract(self, name: str) -> None:
        assert isinstance(made(name), EstimatorHead)

    def test_learns(self, name: str) -> None:
        x, y = clouds(90)
        probabilities = made(name).fit(x[:60], y[:60], np.arange(60), 3).predict_proba(x[60:])
        assert (probabilities.argmax(1) == y[60:]).mean() > 0.85
        np.testing.assert_allclose(probabilities.sum(1), 1)

    def test_a_genre_that_was_never_seen_has_no_probability(self, name: str) -> None:
        x, y = clouds()
        probabilities = made(name).fit(x, y * 2, np.arange(60), 6).predict_proba(x)
        assert probabilities.shape == (60, 6)
        assert (probabilities[:, [1, 3, 5]] == 0).all()
        np.testing.assert_allclose(probabilities.sum(1), 1)

    def test_two_genres(self, name: str) -> None:
        x, y = clouds(genres=2)
        head = made(name).fit(x, y, np.arange(60), 2)
        assert (head.predict_proba(x).argmax(1) == y).mean() > 0.9

    def test_a_single_clip(self, name: str) -> None:
        x, _ = clouds()
        head = made(name).fit(x[:1], np.array([2]), np.array([0]), 3)
        assert head.predict_proba(x).tolist() == [[0, 0, 1]] * 60

    def test_one_clip_a_genre(self, name: str) -> None:
        x, y = clouds(3)
        probabilities = made(name).fit(x, y, np.arange(3), 3).predict_proba(x)
        assert np.isfinite(probabilities).all()

    def test_features_that_never_change(self, name: str) -> None:
        x, y = clouds()
        x[:, :5] = 7.0
        head = made(name).fit(x, y, np.arange(60), 3)
        x[:, :5] = 8.0
        assert np.isfinite(head.predict_proba(x)).all()

    def test_the_embedding_is_the_standardised_features(self, name: str) -> None:
        x, y = clouds()
        x[0, 0] = 1e4
        embedding = made(name).fit(x, y, np.arange(60), 3).embed(x)
        expected = np.clip(StandardScaler().fit_transform(x.astype(np.float64)), -4, 4)
        np.testing.assert_allclose(embedding, expected, atol=1e-5)
        assert embedding.dtype == np.float32

    def test_balanced_weights_find_a_rare_genre_more_often(self, name: str) -> None:
        rng = np.random.default_rng(3)
        labels = (np.arange(600) % 12 == 0).astype(int)  # one in twelve
        x = (rng.normal(size=(600, 8)) + labels[:, None]).astype(np.float32)
        y, found = labels[:300], {}
        for weights in ("none", "balanced"):
            head = made(name, class_weights=weights).fit(x[:300], y, np.arange(300), 2)
            said = head.predict_proba(x[300:]).argmax(1)
            found[weights] = (said[labels[300:] == 1] == 1).mean()
        assert found["balanced"] > found["none"]

    def test_a_second_fit_forgets_the_first(self, name: str) -> None:
        x, y = clouds()
        fresh = made(name).fit(x, y, np.arange(60), 3)
        used = (
            made(name).fit(x[:1] * 9, np.array([1]), np.array([0]), 4).fit(x, y, np.arange(60), 3)
        )
        np.testing.assert_array_equal(fresh.predict_proba(x), used.predict_proba(x))

    def test_comes_back_from_disk_the_same(self, name: str, tmp_path: Path) -> None:
        x, y = clouds()
        head = made(name).fit(x, y, np.arange(60), 3)
        head.save(tmp_path / "head.skops")
        again = made(name).restore(tmp_path / "head.skops")
        np.testing.assert_array_equal(head.predict_proba(x), again.predict_proba(x))
        np.testing.assert_array_equal(head.embed(x), again.embed(x))

    def test_a_file_with_a_foreign_type_is_never_loaded(self, name: str, tmp_path: Path) -> None:
        x, y = clouds()
        path = tmp_path / "head.skops"
        estimator = KNeighborsClassifier(metric=Foreign()).fit(x, y)
        path.write_bytes(skops.io.dumps({"estimator_": estimator}))
        with pytest.raises(MgcError, match=r"does not trust: .*Foreign"):
            made(name).restore(path)

    def test_a_damaged_file_is_named(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "head.skops").write_bytes(b"PK\x03\x04 no zip")
        with pytest.raises(MgcError, match=r"head\.skops cannot be read"):
            made(name).restore(tmp_path / "head.skops")


class Foreign:
    """A type that no head's file may hold."""

    def __call__(self, a: np.ndarray, b: np.ndarray) -> float:
        return float(np.abs(a - b).sum())


def test_logistic_is_scikit_learns_on_scaled_features() -> None:
    x, y = clouds()
    head = made("logistic", C=0.5).fit(x, y, np.arange(60), 3)
    reference = LogisticRegression(C=0.5, max_iter=2000, class_weight="balanced")
    reference.fit(head.embed(x), y)
    np.testing.assert_allclose(head.predict_proba(x), reference.predict_proba(head.embed(x)))


def test_svm_decides_as_scikit_learns() -> None:
    x, y = clouds(120)
    x += np.random.default_rng(1).normal(size=x.shape).astype(np.float32) * 3
    head = made("svm", C=2.0).fit(x, y, np.arange(120), 3)
    reference = SVC(C=2.0).fit(head.embed(x), y)
    assert (head.predict_proba(x).argmax(1) == reference.predict(head.embed(x))).mean() > 0.98


def test_svm_is_calibrated_on_artists_it_was_not_trained_on() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 30)).astype(np.float32)
    y = np.arange(200) % 4  # nothing to learn: the best probabilities are even
    head: Svm = made("svm").fit(x, y, np.arange(200) // 2, 4)
    unseen = head.predict_proba(rng.normal(size=(100, 30)).astype(np.float32))
    assert unseen.max() < 0.45
    sharp = decisions(head.estimator_, head.embed(x))
    assert (sharp.argmax(1) == y).mean() > 0.9  # though it knows its training clips by heart


def test_svm_without_a_second_artist_is_fitted_all_the_same() -> None:
    x, y = clouds()
    head = made("svm").fit(x, y, y, 3)
    assert head.sharpness_ == 1.0
    assert (head.predict_proba(x).argmax(1) == y).all()


def test_the_base_is_enough_for_a_plugin(tmp_path: Path) -> None:
    class Nearest(ScikitHead):
        trusted = (
            "sklearn.metrics._dist_metrics.EuclideanDistance64",
            "sklearn.neighbors._kd_tree.KDTree",
        )

        def classifier(self) -> Any:
            return KNeighborsClassifier(3)

    x, y = clouds()
    head = Nearest(None, 0).fit(x, y, np.arange(60), 4)
    head.save(tmp_path / "nearest")
    again = Nearest(None, 0).restore(tmp_path / "nearest")
    np.testing.assert_array_equal(again.predict_proba(x), head.predict_proba(x))


@pytest.mark.parametrize("genres", [2, 3])
def test_logistic_answers_from_plain_arrays_as_scikit_learn_does(
    genres: int, tmp_path: Path
) -> None:
    x, y = clouds(60, genres)
    head = made("logistic").fit(x, y, np.arange(60), genres)
    head.save(tmp_path / "head")
    back = made("logistic").restore(tmp_path / "head")
    np.testing.assert_array_equal(back.predict_proba(x), head.predict_proba(x))
    peer = LogisticRegression(C=0.03, max_iter=2000).fit(head.embed(x), y)
    np.testing.assert_array_equal(head.estimator_.coef_, peer.coef_)
    if genres == 2:
        for name in ("coef_", "intercept_"):
            setattr(peer, name, getattr(peer, name).astype(np.float64))
    found, exact = back.estimator_.predict_proba(head.embed(x)), 1e-12 if genres == 2 else 0
    np.testing.assert_allclose(found, peer.predict_proba(head.embed(x)), rtol=0, atol=exact)


@pytest.mark.parametrize("genres", [2, 3])
def test_a_logistic_head_that_an_earlier_version_saved_with_skops_answers_the_same(
    genres: int, tmp_path: Path
) -> None:
    x, y = clouds(60, genres)
    head = made("logistic").fit(x, y, np.arange(60), genres)
    head.estimator_ = LogisticRegression(C=0.03, max_iter=2000).fit(head.embed(x), y)
    ScikitHead.save(head, tmp_path / "estimator.skops")
    back = made("logistic").restore(tmp_path / "estimator.skops")
    np.testing.assert_array_equal(back.predict_proba(x), head.predict_proba(x))
    assert isinstance(back.estimator_, LogisticRegression)


def test_a_logistic_head_that_saw_one_genre_comes_back(tmp_path: Path) -> None:
    x, _ = clouds()
    head = made("logistic").fit(x, np.full(60, 2), np.arange(60), 4)
    head.save(tmp_path / "head")
    back = made("logistic").restore(tmp_path / "head")
    assert (back.predict_proba(x) == [0, 0, 1, 0]).all()
