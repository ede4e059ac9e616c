"""LightGBM behind mgc's contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mgc_lightgbm.trees import LightGbm, LightGbmParams

from mgc import MgcError
from mgc.checks import parametrize


def clouds(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    genres = np.arange(count) % 4
    features = random.standard_normal((count, 8))
    features[:, :4] += 2.5 * np.eye(4)[genres]
    return features.astype(np.float32), genres, np.arange(count) // 2


def fitted(**settings: object) -> LightGbm:
    return LightGbm(LightGbmParams(**settings), 0).fit(*clouds(200), 4)


@pytest.mark.parametrize(("class_weights", "theirs"), [("none", None), ("balanced", "balanced")])
def test_probabilities_are_those_of_lightgbms_own_classifier(class_weights, theirs) -> None:
    import lightgbm

    p = LightGbmParams(class_weights=class_weights)
    reference = lightgbm.LGBMClassifier(
        n_estimators=p.rounds, learning_rate=p.learning_rate, num_leaves=p.leaves,
        min_child_samples=p.smallest_leaf, colsample_bytree=p.features, reg_lambda=p.l2,
        random_state=0, deterministic=True, force_row_wise=True, verbosity=-1, subsample_freq=0,
        class_weight=theirs,
    )  # fmt: skip
    features, genres, groups = (part[40:] for part in clouds(200))
    genres[:60] = 0  # unequally frequent
    head = LightGbm(p, 0).fit(features, genres, groups, 4)
    reference.fit(head.embed(features), genres)
    test, _, _ = clouds(50, seed=1)
    wanted = reference.predict_proba(head.embed(test))
    np.testing.assert_allclose(head.predict_proba(test), wanted, atol=1e-12)


def test_threads_do_not_change_the_trees() -> None:
    test, _, _ = clouds(50, seed=1)
    one, two = fitted(threads=1), fitted(threads=2)
    np.testing.assert_array_equal(one.predict_proba(test), two.predict_proba(test))


@pytest.mark.parametrize("damage", [lambda text: text[: len(text) // 2], lambda _: "[]"])
def test_a_damaged_file_is_an_error_with_a_hint(damage, tmp_path: Path) -> None:
    fitted().save(tmp_path / "head")
    (tmp_path / "head").write_text(damage((tmp_path / "head").read_text()))
    with pytest.raises(MgcError, match="cannot be read") as caught:
        LightGbm(LightGbmParams(), 0).restore(tmp_path / "head")
    assert caught.value.hint == "Fit the head again."


@parametrize("lightgbm", settings={"threads": 1})
def test_conformance(check) -> None:
    check()
