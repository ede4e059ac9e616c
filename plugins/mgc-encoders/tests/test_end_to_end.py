"""The whole way, from audio files to a comparison, with small random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from . import tiny


def made_up(folder: Path) -> Path:
    """Two genres, six artists each: chords, and noise."""
    random = np.random.default_rng(0)
    for number in range(24):
        time = np.arange(2 * 22_050) / 22_050
        if number % 2:
            wave = 0.3 * np.sin(2 * np.pi * random.uniform(200, 800, 3)[:, None] * time).mean(0)
        else:
            wave = random.uniform(-0.3, 0.3, len(time))
        path = folder / ("tones" if number % 2 else "noise") / f"artist{number // 4}-{number % 2}"
        path.mkdir(parents=True, exist_ok=True)
        soundfile.write(path / f"{number}.wav", wave.astype(np.float32), 22_050)
    return folder


def real(folder: Path) -> Path:
    """A few tracks of real music, as a table."""
    import pandas as pd

    source = Path(os.environ.get("MGC_REAL_DATA", "")) / "magna4"
    if not os.environ.get("MGC_REAL_DATA") or not source.is_dir():
        pytest.skip("MGC_REAL_DATA does not name a folder of real music")
    table = pd.read_csv(source / "tracks.csv")
    table = table[table["genre"].isin(["classical", "rock"])].groupby("genre").head(12)
    table["path"] = [str(source / path) for path in table["path"]]
    folder.mkdir()
    table.to_csv(folder / "tracks.csv", index=False)
    return folder / "tracks.csv"


@pytest.mark.parametrize("music", [made_up, pytest.param(real, marks=pytest.mark.real_data)])
def test_features_heads_ensemble_and_comparison(music, tmp_path: Path) -> None:
    data = music(tmp_path / "music")
    models = {"mert": tiny.mert, "clap": tiny.clap, "ast": tiny.ast}
    settings = []
    for name, save in models.items():
        settings += ["--set", f"{name}.model={save(tmp_path / name)}"]

    def mgc(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "mgc", *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, "MGC_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"},
            cwd=tmp_path, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    mgc("data", "add", "music", str(data))
    extractors = [word for name in models for word in ("--extractor", name)]
    mgc("fit", "--data", "music", *extractors, *settings, "--clip-seconds", "3",
        "--clips-per-track", "1", "--head", "logistic")  # fmt: skip
    mgc("fit", "--data", "music", "--extractor", "mert", *settings[:2], "--clip-seconds", "3",
        "--clips-per-track", "1", "--head", "mlp", "--set", "training.epochs=5")  # fmt: skip
    mgc("ensemble", "mean-probability", "--data", "music")
    rows = json.loads(mgc("compare", "--data", "music", "--json"))
    assert len(rows) == 5
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
    if music is made_up:
        assert max(row["accuracy"] for row in rows) > 0.7
