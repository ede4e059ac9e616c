"""When the workers of an extraction are started ahead."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgc.audio.processes import pool, posix
from mgc.features import file_hashes, workers_ahead


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    modules: list[str] = []
    monkeypatch.setattr(posix, "start_ahead", modules.append)
    monkeypatch.setattr(pool, "cores", lambda: 2)
    monkeypatch.setenv("MGC_START_METHOD", "fork")
    return modules


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.wav" for number in range(100)]
    for path in paths:
        path.write_bytes(b"x")
    return paths


def test_for_new_files(started: list[str], paths: list[Path], mgc_home: Path) -> None:
    workers_ahead.start_for(paths, None)
    assert started == ["mgc.features.extraction.file_worker"]
    stamps = {path: stamp for path in paths if (stamp := file_hashes.stamp(path))}
    file_hashes.remember({path: (stamp, "0" * 64) for path, stamp in stamps.items()})
    workers_ahead.start_for(paths, None)
    assert len(started) == 1
    workers_ahead.start_for(paths, None, even_known=True)
    assert len(started) == 2


def test_never_for_few_files_or_one_process(
    started: list[str], paths: list[Path], mgc_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers_ahead.start_for(paths[: workers_ahead.MIN_FILES - 1], None)
    workers_ahead.start_for(paths, 1)
    monkeypatch.setattr(pool, "cores", lambda: 1)
    workers_ahead.start_for(paths, None)
    monkeypatch.setattr(pool, "cores", lambda: 2)
    monkeypatch.setenv("MGC_START_METHOD", "spawn")
    workers_ahead.start_for(paths, None)
    assert not started
