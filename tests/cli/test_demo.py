"""``mgc demo``: the whole way, on a smaller dataset than the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mgc import runs
from mgc.datasets.importers import demo


def test_the_demo_goes_from_music_to_a_prediction(
    mgc: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "ARTISTS", 5)
    monkeypatch.setattr(demo, "TRACKS", 1)
    told = mgc("demo")
    assert told.code == 0, told.err
    for words in ("mgc data add demo", "mgc fit --extractor mel", "majority-voting", "unseen-jazz"):
        assert words in told.out
    kinds = [run["kind"] for run in mgc("runs", "list", "--json").json]
    assert kinds == ["single"] * 3 + ["ensemble"] * 3
    scores = runs.load("demo-mel-logistic-1").scores["test"]
    assert scores["tracks"] == 40  # each track, out of its fold
    again = mgc("demo")
    assert again.code == 0, again.err
    assert "extracting" not in again.err


def test_removing_the_demo_removes_nothing_else(
    mgc: Callable, monkeypatch: pytest.MonkeyPatch, mgc_home: Path, music: Path
) -> None:
    monkeypatch.setattr(demo, "ARTISTS", 5)
    monkeypatch.setattr(demo, "TRACKS", 1)
    assert mgc("data", "add", "mine", music).code == 0
    assert mgc("fit", "-e", "mfcc", "--data", "mine").code == 0
    before = files(mgc_home)
    assert mgc("demo").code == 0
    assert mgc("fit", "-e", "mfcc", "--seed", "3", "--data", "demo").code == 0
    told = mgc("demo", "--remove")
    assert told.code == 0, told.err
    assert "6 runs" in told.out
    assert "Kept: 1 run on demo" in told.err
    assert [run["name"] for run in mgc("runs", "list", "--json").json] == [
        "mine-mfcc-logistic-1",
        "demo-mfcc-logistic-2",
    ]
    left = {path for path in files(mgc_home) if "demo-mfcc-logistic-2" not in path}
    changed = {path for path in left ^ before if "sqlite" not in path}
    assert {path for path in changed if not path.endswith(".lock")} <= {"settings.json"}
    assert mgc("demo", "--remove").code == 0  # nothing is left to remove
    assert mgc("features", "extract", "mfcc", "--data", "mine").err.count("extracting") == 0


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
