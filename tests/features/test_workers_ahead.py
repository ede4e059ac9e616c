"""When the workers of an extraction are started ahead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

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


def test_who_hands_out_files_does_without_torch(mgc_home: Path, tmp_path: Path) -> None:
    """Torch takes a second to import, in which the cores have other work."""
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", np.full(44_100, number / 10 + 0.1), 22_050)
    done = subprocess.run(
        [sys.executable, "-c", HANDING_OUT, *map(str, sorted(tmp_path.glob("*.wav")))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "2 False\n"


HANDING_OUT = """
import sys
from pathlib import Path
from mgc.audio.clip_policy import ClipPolicy
from mgc.features.extraction import extract
from mgc.features.extractor_spec import ExtractorSpec
sources = [ExtractorSpec(name, {}, ClipPolicy(1.0, 1)) for name in ("mel", "mfcc", "chroma")]
made = extract([Path(name) for name in sys.argv[1:]], sources, workers=2).made
print(made, "torch" in sys.modules)
"""
