"""``mgc demo``: the whole way, on a smaller dataset than the real one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mgc.datasets.importers import demo


def test_the_demo_goes_from_music_to_a_prediction(
    mgc: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "ARTISTS", 4)
    monkeypatch.setattr(demo, "TRACKS", 1)
    told = mgc("demo")
    assert told.code == 0, told.err
    for words in ("mgc data add demo", "mgc fit --extractor mel", "majority-voting", "unseen-jazz"):
        assert words in told.out
    kinds = [run["kind"] for run in mgc("runs", "list", "--json").json]
    assert kinds == ["single"] * 3 + ["ensemble"] * 3
    again = mgc("demo")
    assert again.code == 0, again.err
    assert "24 already there" in again.err or "extracting" not in again.err
