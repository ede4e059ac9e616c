"""Saved estimators whose arrays would make compiled code read outside them, or loop for ever."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.neighbors import KNeighborsClassifier

from mgc.errors import MgcError
from tests.heads.test_estimators import clouds, made


def fitted(name: str) -> Any:
    x, genres = clouds()
    return made(name).fit(x, genres, np.arange(len(x)), 3)


def node(field: str, value: float, leaf: bool = False) -> Callable[[Any], None]:
    def change(head: Any) -> None:
        nodes = head.estimator_._predictors[3][1].nodes
        nodes[field][np.nonzero((nodes["is_leaf"] != 0) == leaf)[0][0]] = value

    return change


def attribute(name: str, value: Any) -> Callable[[Any], None]:
    return lambda head: setattr(head.estimator_, name, value)


def shorter(name: str) -> Callable[[Any], None]:
    return lambda head: setattr(head.estimator_, name, getattr(head.estimator_, name)[:-1])


def neighbours(head: Any) -> None:
    x, genres = clouds()
    head.estimator_ = KNeighborsClassifier(algorithm="brute").fit(x, genres)


def categories(head: Any) -> None:
    head.estimator_._bin_mapper.is_categorical_ = np.ones(12, np.uint8)


HOSTILE = {
    "left out of range": ("gradient-boosting", node("left", 1e6)),
    "right out of range": ("gradient-boosting", node("right", 4e9)),
    "a cycle": ("gradient-boosting", node("left", 0)),
    "feature out of range": ("gradient-boosting", node("feature_idx", 4000)),
    "negative feature": ("gradient-boosting", node("feature_idx", -1)),
    "a last node that is no leaf": (
        "gradient-boosting",
        lambda head: head.estimator_._predictors[0][0].nodes["is_leaf"].__setitem__(-1, 0),
    ),
    "categorical": ("gradient-boosting", node("is_categorical", 1)),
    "NaN": ("gradient-boosting", node("value", np.nan, leaf=True)),
    "known categories": ("gradient-boosting", categories),
    "other features": ("gradient-boosting", attribute("n_features_in_", 10**9)),
    "trees for nobody": ("gradient-boosting", attribute("n_trees_per_iteration_", 10**12)),
    "another estimator": ("gradient-boosting", neighbours),
    "fewer support numbers": ("svm", shorter("support_")),
    "fewer vectors": ("svm", shorter("support_vectors_")),
    "fewer coefficients": ("svm", attribute("_dual_coef_", np.zeros((2, 1)))),
    "fewer intercepts": ("svm", shorter("_intercept_")),
    "more of a genre": ("svm", attribute("_n_support", np.full(3, 10**6, np.int32))),
    "another kernel": ("svm", attribute("kernel", "precomputed")),
    "another estimator for an SVM": ("svm", neighbours),
    "no means": ("svm", lambda head: setattr(head, "mean_", np.full(12, np.inf))),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_it_is_refused_with_the_file_s_name(case: str, tmp_path: Path) -> None:
    name, change = HOSTILE[case]
    head, path = fitted(name), tmp_path / "estimator.skops"
    head.save(path)
    made(name).restore(path)
    change(head)
    head.save(path)
    with pytest.raises(MgcError, match=str(path)):
        made(name).restore(path)


def test_neighbours_are_no_logistic_regression(tmp_path: Path) -> None:
    head, path = fitted("svm"), tmp_path / "estimator.skops"
    neighbours(head)
    head.save(path)
    with pytest.raises(MgcError, match="KNeighborsClassifier"):
        made("logistic").restore(path)


def test_a_file_that_unpacks_to_far_more_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "estimator.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.npy", bytes(50_000_000))
        archive.writestr("schema.json", "{}")
    with pytest.raises(MgcError, match=r"unpack to 50,000,002 bytes"):
        made("svm").restore(path)


def test_a_deep_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "estimator.skops"
    level = '{"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": ['
    text = 20_000 * level + 20_000 * "]}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", text)
    with pytest.raises(MgcError, match="cannot be read"):
        made("svm").restore(path)


def test_nothing_but_what_was_learnt_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "estimator.skops"
    head = fitted("svm")
    state = {name: value for name, value in vars(head).items() if name.endswith("_")}
    path.write_bytes(skops.io.dumps({**state, "params": 3, "predict_proba": np.add}))
    restored = made("svm").restore(path)
    x, _ = clouds()
    np.testing.assert_array_equal(restored.predict_proba(x), head.predict_proba(x))
