"""What needs no torch does not import it, in no process: that alone takes over a second."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def alone(mgc_home: Path, tmp_path: Path) -> Callable[..., str]:
    """Call the command line in a process of its own, where importing torch fails."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in ("torch", "torchaudio"):
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} was imported')")
    env = {**os.environ, "PYTHONPATH": str(blocked), "MGC_HOME": str(mgc_home)}

    def call(*words: object) -> str:
        command = [sys.executable, "-m", "mgc", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        assert not done.returncode, done.stderr
        assert "was imported" not in done.stdout + done.stderr
        return done.stdout

    return call


def test_features_fits_ensembles_and_answers(alone: Callable[..., str], music: Path) -> None:
    alone("data", "add", "songs", music)
    alone("features", "extract", "mel", "mfcc", "chroma", "--data", "songs", "--workers", 2)
    for extractor in ("mel", "mfcc"):
        alone("fit", "-e", extractor, "--head", "logistic", "--data", "songs")
    assert "ambient" in alone("predict", music / "ambient" / "artist-0" / "0.wav")
    alone("ensemble", "auto", "--data", "songs")
    assert "jazz" in alone("predict", music / "jazz", "--workers", 2, "--csv")
    alone("compare", "--data", "songs")
    alone("explain", music / "jazz" / "artist-0" / "0.wav")


def test_a_network_needs_it(alone: Callable[..., str], music: Path) -> None:
    alone("data", "add", "songs", music)
    with pytest.raises(AssertionError, match="torch was imported"):
        alone("fit", "-e", "mel", "--head", "cnn", "--data", "songs")
