"""Trackers follow a training, and never end it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgc.progress import Silent
from mgc.training.fit import fit_head
from mgc.training.head_spec import HeadSpec
from mgc.training.tracking import Guarded, Summary, read_history, write_history
from tests.tunes import split, track_data

SUMMARY = Summary({}, ["a"], np.zeros(1, int), np.ones((1, 1)))


class Noted:
    """Keeps what it is told."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self.fails_at = fails_at

    def start(self, config: Any) -> None:
        self.rows.append({"config": config})

    def log(self, row: Any) -> None:
        if len(self.rows) == self.fails_at:
            raise ConnectionError("no route\nto host")
        self.rows.append(dict(row))

    def finish(self, summary: Any, folder: Path) -> None:
        self.rows.append({"summary": summary, "folder": folder})


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def fit(tracker: Any, progress: Any, folder: Path) -> Any:
    data = track_data()
    spec = HeadSpec("mlp", {}, {"epochs": 3, "batch_size": 12})
    train, validation, _ = split(data)
    return fit_head(
        spec, data, train, validation,
        seed=0, device="cpu", folder=folder, tracker=tracker, progress=progress,
    )  # fmt: skip


def test_a_tracker_gets_every_batch_and_every_epoch(tmp_path: Path) -> None:
    tracker = Noted()
    fitted = fit(tracker, Silent(), tmp_path)
    batches = [row for row in tracker.rows if "batch_loss" in row]
    epochs = [row for row in tracker.rows if "epoch" in row]
    assert [row["step"] for row in batches] == list(range(1, 10))  # 36 tracks in threes of 12
    assert epochs == fitted.history
    for number, row in enumerate(epochs):
        losses = [batch["batch_loss"] for batch in batches[3 * number : 3 * number + 3]]
        assert np.mean(losses) == pytest.approx(row["train_loss"], rel=1e-6)


def test_a_tracker_that_fails_is_mentioned_once_and_changes_nothing(tmp_path: Path) -> None:
    heard = Heard()
    failing = fit(Noted(fails_at=4), heard, tmp_path / "a")
    assert heard.lines == [
        "Tracking has stopped (ConnectionError: no route). The training continues."
    ]
    plain = fit(None, Silent(), tmp_path / "b")
    untimed = [[{**row, "seconds": 0} for row in fit.history] for fit in (failing, plain)]
    assert untimed[0] == untimed[1]


@pytest.mark.parametrize("method", ["start", "log", "finish"])
def test_no_method_of_a_guarded_tracker_raises(method: str, tmp_path: Path) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("broken")

    heard = Heard()
    guarded = Guarded(Broken(), heard)
    for _ in range(2):
        arguments = (SUMMARY, tmp_path) if method == "finish" else ({},)
        getattr(guarded, method)(*arguments)
    assert len(heard.lines) == 1


def test_the_rows_of_a_fold_carry_its_name() -> None:
    tracker = Noted()
    named = Guarded(tracker, Silent(), "fold-2")
    named.log({"epoch": 1})
    named.start({"x": 1})
    named.finish(SUMMARY, Path())
    assert tracker.rows[0] == {"epoch": 1, "part": "fold-2"}
    assert len(tracker.rows) == 3


def test_history_comes_back(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "train_loss": 0.25}, {"epoch": 2, "train_loss": 0.125}]
    write_history(tmp_path / "new", rows)
    assert read_history(tmp_path / "new") == rows
    assert read_history(tmp_path) == []
