"""The figures of long work in words, the same on a terminal and in a pipe."""

from __future__ import annotations

from typing import Any

#: The columns of the epoch table that are shown, if the trainer gives them.
EPOCH_COLUMNS = {
    "epoch": "epoch",
    "loss": "loss",
    "validation_loss": "val. loss",
    "validation_accuracy": "val. acc.",
    "learning_rate": "lr",
    "seconds": "s",
}


def figure(value: Any) -> str:
    """A figure of an epoch in few characters."""
    if isinstance(value, float):
        return f"{value:.2e}" if 0 < abs(value) < 0.01 else f"{value:.3f}"
    return "" if value is None else str(value)


def ended(what: str, done: int, unit: str, seconds: float) -> str:
    """The line that remains when a task is done."""
    unit = unit.removesuffix("s") if done == 1 else unit
    return f"{what}: {done:,} {unit} in {seconds:.1f} s ({done / max(seconds, 1e-6):,.1f}/s)"
