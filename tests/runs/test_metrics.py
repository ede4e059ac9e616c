"""Figures of merit against scikit-learn and against worked examples."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score

from mgc.runs import metrics

NAMES = ["blues", "jazz", "rock", "pop"]


def made_up(tracks: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    genres = rng.integers(0, len(NAMES), tracks)
    logits = rng.normal(size=(tracks, len(NAMES))) + 1.5 * np.eye(len(NAMES))[genres]
    return genres, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_summary_equals_scikit_learn() -> None:
    genres, probabilities = made_up()
    found = metrics.summary(genres, probabilities, NAMES)
    guess = probabilities.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(accuracy_score(genres, guess))
    assert found["precision"] == pytest.approx(precision_score(genres, guess, average="macro"))
    assert found["recall"] == pytest.approx(recall_score(genres, guess, average="macro"))
    assert found["f1"] == pytest.approx(f1_score(genres, guess, average="macro"))
    assert found["nll"] == pytest.approx(log_loss(genres, probabilities))
    assert np.sum(found["confusion"]) == found["tracks"] == 200
    assert found["confusion"][0][1] == ((genres == 0) & (guess == 1)).sum()
    json.dumps(found)


def test_a_genre_without_tracks_does_not_lower_the_macro_figures() -> None:
    genres, probabilities = made_up()
    there = genres < 3
    found = metrics.summary(genres[there], probabilities[there], NAMES)
    guess = probabilities[there].argmax(axis=1)
    expected = f1_score(genres[there], guess, average="macro", labels=[0, 1, 2])
    assert found["f1"] == pytest.approx(expected)
    assert found["by_genre"]["pop"]["tracks"] == 0


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Worked examples of the Wilson score interval (Newcombe 1998, table I).
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval(hits: int, count: int, low: float, high: float) -> None:
    assert metrics.wilson(hits, count) == pytest.approx((low, high), abs=1e-4)


def test_wilson_of_nothing_says_nothing() -> None:
    assert metrics.wilson(0, 0) == (0.0, 1.0)


def test_calibration_error_of_known_cases() -> None:
    genres = np.array([0, 0, 0, 1])
    sure_and_right = np.tile([1.0, 0.0], (3, 1))
    assert metrics.expected_calibration_error(genres[:3], sure_and_right) == 0.0
    sure = np.tile([1.0, 0.0], (4, 1))
    assert metrics.expected_calibration_error(genres, sure) == pytest.approx(0.25)
    modest = np.tile([0.75, 0.25], (4, 1))
    assert metrics.expected_calibration_error(genres, modest) == pytest.approx(0.0)


def test_nothing_to_score_is_an_error_not_a_perfect_result() -> None:
    with pytest.raises(ValueError, match="nothing to score"):
        metrics.summary(np.array([], int), np.zeros((0, 4)), NAMES)
