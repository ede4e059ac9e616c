"""``mgc compare``, as a user types it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from mgc import runs
from mgc.datasets.importers import importing
from tests.ensembling.members import World, accuracy, answers, single, world

KEYS = {
    "name", "kind", "precision", "recall", "f1", "accuracy", "accuracy_low", "accuracy_high",
    "tracks",
}  # fmt: skip


@pytest.fixture
def ready(mgc: Callable) -> Callable:
    """The command line with three single runs and an ensemble of them."""
    made = world()
    names = [
        single(made, answers(made, right, i), name).name
        for i, (name, right) in enumerate((("mel", 0.7), ("mfcc", 0.6), ("chroma", 0.4)))
    ]
    assert mgc("ensemble", "mean-probability", *names).code == 0
    return mgc


def names() -> list[str]:
    return [run.name for run in runs.everything()[0]]


def test_json_is_an_array_of_rows(ready: Callable) -> None:
    rows = ready("compare", *names(), "--json").json
    assert len(rows) == 4
    for row in rows:
        assert set(row) >= KEYS
        assert 0 <= row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"] <= 1
        assert row["tracks"] == 48
    by_name = {row["name"]: row for row in rows}
    assert by_name["mel · cnn"]["kind"] == "single"
    assert by_name["mean-probability"]["kind"] == "ensemble"
    assert by_name["mel · cnn"]["accuracy"] == pytest.approx(
        accuracy(runs.load("made-up-mel-cnn-1"))
    )


def test_the_table_has_the_best_first(ready: Callable) -> None:
    told = ready("compare", *names())
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[0].split()[:2] == ["name", "kind"]
    assert "◂" in lines[1]
    assert any(line.startswith("Best: ") for line in lines)
    assert any(line.startswith("against ") for line in lines)
    assert "Paired on 16 artists of 48 tracks" in told.err


def test_csv_and_markdown(ready: Callable) -> None:
    rows = list(csv.DictReader(io.StringIO(ready("compare", *names(), "--csv").out)))
    assert len(rows) == 4
    assert set(rows[0]) >= KEYS
    assert float(rows[0]["accuracy"]) >= float(rows[-1]["accuracy"])
    markdown = ready("compare", *names(), "--markdown").out.splitlines()
    assert markdown[0].count("|") == markdown[2].count("|") == 10
    told = ready("compare", *names(), "--csv", "--json")
    assert told.code == 2
    assert "Only one of" in told.err


def test_genres_and_agreement(ready: Callable) -> None:
    told = ready("compare", *names(), "--by-genre", "--agreement")
    assert "F1 by genre" in told.out
    assert "kappa" in told.out
    assert "A perfect choice among them" in told.out
    rows = ready("compare", *names(), "--by-genre", "--agreement", "--json").json
    assert all(set(row["f1_by_genre"]) == {"blues", "jazz", "pop", "rock"} for row in rows)
    singles = [row for row in rows if row["kind"] == "single"]
    assert all(len(row["agreement"]) == 2 for row in singles)
    assert all(0 < row["oracle"] <= 1 for row in rows)


def test_without_runs_the_newest_on_the_dataset(ready: Callable, music: Path) -> None:
    importing.add_path("made-up", music, group_by=None, seed=0, drop_rare=False)
    made = world()
    newer = single(made, answers(made, 0.9, 7), "mel")
    rows = ready("compare", "--json").json
    assert len(rows) == 4
    assert next(r for r in rows if r["name"] == "mel · cnn")["runs"] == [newer.name]


def test_a_reference_may_be_named(ready: Callable) -> None:
    told = ready("compare", *names(), "--reference", "mean-probability")
    assert any(line.startswith("against mean-probability") for line in told.out.splitlines())
    wrong = ready("compare", *names(), "--reference", "mean")
    assert wrong.code == 2
    assert "No compared system is named 'mean'" in wrong.err


def test_what_cannot_be_compared(ready: Callable, music: Path) -> None:
    other = single(World(world().table, name="elsewhere"), answers(world(), 0.6, 0))
    told = ready("compare", names()[0], other.name)
    assert told.code == 2
    assert "differ in their dataset" in told.err
    importing.add_path("empty", music, group_by=None, seed=0, drop_rare=False)
    told = ready("compare", "--data", "empty")
    assert told.code == 2
    assert "no finished run on empty" in told.err
    (runs.runs_home() / names()[0] / "predictions.parquet").write_bytes(b"rubbish")
    told = ready("compare", *(name for name in names() if name != other.name))
    assert told.code == 1
    assert "is damaged" in told.err
