"""How a training went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mgc.errors import UsageError
from mgc.runs import Run
from mgc.runs.models import model_folders
from mgc.training.tracking import read_history

NAMES = {
    "train_loss": "training loss",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
    "validation_f1": "validation macro F1",
}


@dataclass(frozen=True)
class Curve:
    """One fold's training: figures by name, each (epoch,), NaN where it was not measured.

    ``kept`` is the epoch whose weights the model has: the best one by the monitored figure, or the
    last one if that was not measured.
    """

    fold: int
    epochs: Sequence[int]
    figures: Mapping[str, np.ndarray]
    kept: int

    def at_kept(self, name: str) -> float:
        """A figure in the epoch that was kept."""
        return float(self.figures[name][self.epochs.index(self.kept)])


def curves(run: Run) -> list[Curve]:
    """The trainings behind a run, one per fold; none if its head does not learn in epochs."""
    made = []
    for number, folder in enumerate(model_folders(run)):
        rows = read_history(folder)
        if rows:
            table = pd.DataFrame(rows)
            figures = {name: table[name].to_numpy(np.float64) for name in NAMES if name in table}
            epochs = table["epoch"].astype(int).tolist()
            made.append(Curve(number, epochs, figures, _kept(epochs, figures, monitor(run))))
    return made


def monitor(run: Run) -> str:
    """The figure by which the run's training chose the epoch to keep, as in `NAMES`."""
    training = run.record.head.training or {}
    return f"validation_{training.get('monitor', 'loss')}"


def _kept(epochs: Sequence[int], figures: Mapping[str, np.ndarray], name: str) -> int:
    values = figures.get(name, np.empty(0))
    if not np.isfinite(values).any():
        return epochs[-1]
    best = np.nanargmin(values) if name.endswith("loss") else np.nanargmax(values)
    return epochs[int(best)]


def some_curves(run: Run) -> list[Curve]:
    """See `curves`. Raises UsageError if there are none."""
    found = curves(run)
    if not found:
        what = "An ensemble" if run.kind == "ensemble" else f"Head {run.record.head.name!r}"
        raise UsageError(
            f"{what} does not learn in epochs: run {run.name} has no curves.",
            "Name a run whose head does, such as cnn: mgc runs list",
        )
    return found


def mean_curve(found: Sequence[Curve], name: str) -> np.ndarray:
    """The mean of a figure over the folds still in training, (epoch,)."""
    longest = max(len(curve.epochs) for curve in found)
    table = np.full((len(found), longest), np.nan)
    for row, curve in zip(table, found, strict=True):
        values = curve.figures.get(name, np.empty(0))
        row[: len(values)] = values
    counts = np.isfinite(table).sum(0)
    return np.where(counts > 0, np.nansum(table, 0) / np.maximum(counts, 1), np.nan)
