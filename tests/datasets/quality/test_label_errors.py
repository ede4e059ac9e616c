import numpy as np
import pandas as pd
import pytest

from mgc.datasets.quality.label_errors import (
    MIN_PRECISION,
    chances,
    confident_joint,
    label_errors,
    suspicious,
)
from mgc.errors import MgcError

GENRES = ["a", "b", "c"]


def world(seed: int, count: int = 900, wrong: float = 0.1) -> tuple[np.ndarray, ...]:
    """(given labels, true labels, probabilities of a model that is good but not perfect)."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, count)
    given = np.where(
        random.random(count) < wrong, (truth + random.integers(1, 3, count)) % 3, truth
    )
    logits = random.normal(0, 1, (count, 3))
    logits[np.arange(count), truth] += 3.5
    p = np.exp(logits)
    return given, truth, p / p.sum(axis=1, keepdims=True)


def frame(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    made = pd.DataFrame(probabilities, columns=[f"p:{genre}" for genre in GENRES])
    made.insert(0, "track_id", [f"t{number:04d}" for number in range(len(labels))])
    made["fold"] = np.arange(len(labels)) % 5
    made["part"] = "test"
    made["genre"] = np.array(GENRES)[labels]
    return made


@pytest.mark.parametrize("seed", range(5))
def test_planted_errors_are_found(seed: int) -> None:
    given, truth, p = world(seed)
    suspects = suspicious(given, p)
    wrong = given != truth
    assert (suspects & wrong).sum() > 0.75 * wrong.sum()
    assert (suspects & wrong).sum() > 0.75 * suspects.sum()


def test_clean_labels_of_a_sure_model_have_no_suspects() -> None:
    labels = np.repeat([0, 1, 2], 50)
    p = np.full((150, 3), 0.05)
    p[np.arange(150), labels] = 0.9
    assert not suspicious(labels, p).any()


def test_the_joint_by_hand() -> None:
    """Six tracks: thresholds are the means of each class on its own label."""
    labels = np.array([0, 0, 0, 0, 1, 1])
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6]])
    # Thresholds: class 0: (0.9 + 0.8 + 0.7 + 0.1) / 4 = 0.625; class 1: 0.7.
    # Sure: tracks 0, 1, 2 for class 0; 3 (labelled 0) and 4 for class 1; 5 for none.
    assert confident_joint(labels, p).tolist() == [[3, 1], [0, 2]]
    assert list(np.nonzero(suspicious(labels, p))[0]) == [3]


def test_rows_of_the_joint_add_up_to_the_labels() -> None:
    given, _, p = world(3, 500)
    assert confident_joint(given, p).sum(axis=1).tolist() == np.bincount(given).tolist()


def test_the_table_names_the_most_suspicious_first() -> None:
    given, truth, p = world(1)
    found = label_errors(frame(given, p), GENRES)
    assert list(found["margin"]) == sorted(found["margin"], reverse=True)
    first = found.iloc[0]
    number = int(first["track_id"][1:])
    assert first["genre"] == GENRES[given[number]] != first["suggested"]
    assert first["suggested"] == GENRES[truth[number]]
    assert first["confidence"] == p[number, given[number]]
    assert not set(found["genre"] + found["track_id"]) - {
        GENRES[g] + f"t{n:04d}" for n, g in enumerate(given)
    }


def test_only_test_rows_count_and_folds_are_averaged() -> None:
    given, _, p = world(2, 300)
    table = frame(given, p)
    training = table.assign(part="training", **{"p:a": 1.0, "p:b": 0.0, "p:c": 0.0})
    both = pd.concat([table, training, table])
    pd.testing.assert_frame_equal(label_errors(both, GENRES), label_errors(table, GENRES))


def test_a_genre_without_test_tracks_is_no_obstacle() -> None:
    given, _, p = world(2, 300)
    some = frame(given, p)[given != 2]
    found = label_errors(some, GENRES)
    assert set(found["genre"]) <= {"a", "b"}


def test_what_is_missing_is_said() -> None:
    given, _, p = world(1, 50)
    with pytest.raises(MgcError, match="no column 'p:d'"):
        label_errors(frame(given, p), [*GENRES, "d"])
    with pytest.raises(MgcError, match="no test rows"):
        label_errors(frame(given, p).assign(part="validation"), GENRES)


def unsure_world(seed: int, wrong: float, count: int = 3000) -> tuple[np.ndarray, ...]:
    """Labels, which of them are wrong, and the calibrated probabilities of a model that is right
    about seven times in ten."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.8, (count, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    bad = random.random(count) < wrong
    return np.where(bad, (truth + random.integers(1, 4, count)) % 4, truth), bad, p


@pytest.mark.parametrize("seed", range(3))
def test_the_mistakes_of_a_model_that_knows_its_limits_are_not_the_labels(seed: int) -> None:
    labels, _, p = unsure_world(seed, 0.0)
    assert 0.6 < (p.argmax(axis=1) == labels).mean() < 0.8
    assert suspicious(labels, p).sum() > 0.1 * len(labels)
    assert chances(labels, p).sum() < 0.02 * len(labels)


@pytest.mark.parametrize("seed", range(3))
def test_chances_add_up_to_the_wrong_labels(seed: int) -> None:
    labels, bad, p = unsure_world(seed, 0.15)
    found = chances(labels, p)
    assert found.sum() == pytest.approx(bad.sum(), rel=0.25)
    likely = found > 0.5
    assert bad[likely].mean() == pytest.approx(found[likely].mean(), abs=0.12)


def test_a_model_that_is_too_sure_of_itself_is_cooled_first() -> None:
    labels, _, p = unsure_world(0, 0.0)
    too_sure = p**3 / (p**3).sum(axis=1, keepdims=True)
    assert chances(labels, too_sure).sum() < 0.02 * len(labels)


@pytest.mark.parametrize("seed", range(3))
def test_no_more_labels_are_named_than_keep_the_expected_precision(seed: int) -> None:
    labels, bad, p = unsure_world(seed, 0.15)
    table = pd.DataFrame(p, columns=[f"p:{genre}" for genre in "wxyz"])
    table["track_id"] = [f"t{number:04d}" for number in range(len(labels))]
    table["part"], table["genre"] = "test", np.array(list("wxyz"))[labels]
    found = label_errors(table, list("wxyz"))
    assert 0 < len(found) < suspicious(labels, p).sum()
    assert found["chance"].mean() >= MIN_PRECISION
    hits = bad[[int(track[1:]) for track in found["track_id"]]]
    assert hits.mean() == pytest.approx(found["chance"].mean(), abs=0.15)
