"""What an extraction will take is told early, and refused if the disk cannot hold it."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from mgc.errors import MgcError
from mgc.features.extraction import extract, forecast
from mgc.features.extraction.forecast import TRACKS, Forecast
from tests.features.extraction.test_extract import album, sources
from tests.features.extraction.test_heard_before import Told


def test_it_is_told_once_and_scaled(mgc_home: Path) -> None:
    told = Told()
    counting = Forecast(1_000, told)
    for _ in range(100):
        counting.add(2_000_000)
    assert len(told.lines) == 1
    assert told.lines[0].startswith("1,000 tracks: about ")
    assert told.lines[0].endswith("2.0 GB of features")


def test_short_work_is_not_announced(mgc_home: Path) -> None:
    told = Told()
    counting = Forecast(4 * TRACKS - 1, told)
    for _ in range(4 * TRACKS - 1):
        counting.add(1)
    assert told.lines == []


def test_a_disk_that_is_too_small_is_refused_early(
    tmp_path: Path, mgc_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "TRACKS", 4)
    free = SimpleNamespace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    paths = album(tmp_path, 16)
    with pytest.raises(MgcError, match=r"16 tracks need about .* MB; 0.1 MB are free in"):
        extract(paths, sources("mel"), workers=1)
    free.free = 10**12
    told = Told()
    assert extract(paths, sources("mel"), told, workers=1).made > 0
    assert told.lines[0].startswith("16 tracks: about ")
