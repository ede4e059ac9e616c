"""Tracks whose genre is likely wrong, from predictions of models that never saw them.

Confident learning: C. Northcutt, L. Jiang and I. Chuang, "Confident Learning: Estimating
Uncertainty in Dataset Labels", JAIR 70 (2021). How many labels of each kind are wrong is
estimated from the confident joint; those with the largest margin are suspects (the paper's "prune
by noise rate"). A model that is often wrong itself makes many suspects, so the chance that each
label is wrong is estimated, and only as many suspects are returned as keep the expected share of
wrong ones at `MIN_PRECISION`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from mgc.errors import MgcError

PREFIX = "p:"  # of a probability column, as in a run's predictions
MIN_PRECISION = 0.5  # expected share of the returned labels that truly are wrong


def label_errors(predictions: pd.DataFrame, genres: Sequence[str]) -> pd.DataFrame:
    """The tracks whose label is likely wrong, the most suspicious first.

    Args:
        predictions: rows of track_id, fold, part, genre and one ``p:<genre>`` column each; only
            rows of part "test" count: those that their fold's model was not trained on.
        genres: the genre names.

    Returns:
        track_id, genre, suggested, confidence (in the given genre), margin (by which the
        suggested genre is more probable) and chance (that the label is wrong; see `chances`); one
        row per suspect.

    Raises:
        MgcError: no test rows, or columns are missing.
    """
    columns = [PREFIX + genre for genre in genres]
    absent = [name for name in ["track_id", "part", "genre", *columns] if name not in predictions]
    if absent:
        raise MgcError(f"The predictions have no column {absent[0]!r}.", "Fit again: mgc fit")
    rows = predictions[(predictions["part"] == "test") & predictions["genre"].isin(list(genres))]
    if not len(rows):
        raise MgcError("The predictions hold no test rows.", "Fit with folds: mgc fit --folds 5")
    rows = rows.groupby(["track_id", "genre"], as_index=False)[columns].mean()
    number = {genre: index for index, genre in enumerate(genres)}
    labels = rows["genre"].map(number).to_numpy(int)
    probabilities = rows[columns].to_numpy(float)
    chance = chances(labels, probabilities)
    suspects = _likeliest(suspicious(labels, probabilities), chance)
    guess = probabilities.argmax(axis=1)
    each = np.arange(len(rows))
    found = pd.DataFrame(
        {
            "track_id": rows["track_id"],
            "genre": rows["genre"],
            "suggested": np.array(genres, dtype=object)[guess],
            "confidence": probabilities[each, labels],
            "margin": probabilities[each, guess] - probabilities[each, labels],
            "chance": chance,
        }
    )
    return found[suspects].sort_values("margin", ascending=False, ignore_index=True)


def chances(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """How likely each label is to be wrong (track,), given that the model too may be.

    Labels are taken to be replaced by any other with one probability, and the model's probabilities
    to be right up to one temperature. Both numbers are those under which the labels are most
    likely: only mistakes that the model is surer of than its other answers warrant count as noise.
    """
    logs = np.log(np.clip(probabilities, 1e-12, 1.0))
    others = max(probabilities.shape[1] - 1, 1)

    def joint(values: np.ndarray) -> np.ndarray:
        tempered = np.exp(logs * np.exp(values[0]))
        own = tempered[np.arange(len(labels)), labels] / tempered.sum(axis=1)
        return np.stack([own * (1 - values[1]), (1 - own) * values[1] / others])

    found = minimize(
        lambda values: -np.log(joint(values).sum(0) + 1e-300).mean(),
        x0=[0.0, 0.05],
        bounds=[(-3.0, 3.0), (1e-6, 0.5)],
    )
    right, wrong = joint(found.x)
    return np.asarray(wrong / (right + wrong + 1e-300))


def _likeliest(suspects: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """The longest list of suspects, the likeliest first, that keeps `MIN_PRECISION`."""
    order = np.flatnonzero(suspects)
    order = order[np.argsort(-chance[order], kind="stable")]
    expected = np.cumsum(chance[order]) / np.arange(1, len(order) + 1)
    kept = np.zeros(len(chance), bool)
    kept[order[: int((expected >= MIN_PRECISION).sum())]] = True
    return kept


def suspicious(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Which labels are likely wrong: (track,) bool.

    Args:
        labels: the given class numbers (track,).
        probabilities: out-of-sample class probabilities (track, class); each class has a track.
    """
    wrong = confident_joint(labels, probabilities)
    np.fill_diagonal(wrong, 0)
    found = np.zeros(len(labels), bool)
    for given, truth in zip(*np.nonzero(wrong), strict=True):
        rows = np.nonzero(labels == given)[0]
        margin = probabilities[rows, truth] - probabilities[rows, given]
        found[rows[np.argsort(-margin, kind="stable")[: wrong[given, truth]]]] = True
    return np.asarray(found & (probabilities.argmax(axis=1) != labels))


def confident_joint(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """How many tracks with a given label (row) truly are of each class (column): whole numbers.

    A track counts for a class if its probability reaches the mean that this class has on the
    tracks labelled so; each row is then scaled to its label's count (the paper's equations 1 to 3).
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    threshold = np.array(
        [probabilities[labels == k, k].mean() if counts[k] else np.inf for k in range(classes)]
    )
    reached = probabilities >= threshold - 1e-6
    sure = reached.any(axis=1)
    # If several classes are reached, the most probable one counts.
    truth = np.where(reached, probabilities, -1.0).argmax(axis=1)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[sure], truth[sure]), 1)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    joint *= (counts / joint.sum(axis=1))[:, None]
    return np.stack([_whole(row, int(count)) for row, count in zip(joint, counts, strict=True)])


def _whole(row: np.ndarray, total: int) -> np.ndarray:
    """Round to whole numbers that still add up: the largest remainders are rounded up."""
    made = np.floor(row + 1e-9).astype(int)
    short = total - int(made.sum())
    made[np.argsort(made - row, kind="stable")[:short]] += 1
    return made
