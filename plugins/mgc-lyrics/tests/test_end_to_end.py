"""The whole way on real music, with small random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import tiny


@pytest.mark.real_data
def test_words_of_real_music_are_fitted_and_compared(tmp_path: Path) -> None:
    import pandas as pd

    source = Path(os.environ.get("MGC_REAL_DATA", "")) / "magna4"
    if not os.environ.get("MGC_REAL_DATA") or not source.is_dir():
        pytest.skip("MGC_REAL_DATA does not name a folder of real music")
    table = pd.read_csv(source / "tracks.csv")
    table = table[table["genre"].isin(["pop", "rock"])].groupby("genre").head(10)
    table["path"] = [str(source / path) for path in table["path"]]
    table.to_csv(tmp_path / "tracks.csv", index=False)

    def mgc(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "mgc", *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, "MGC_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"},
            cwd=tmp_path, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    mgc("data", "add", "music", str(tmp_path / "tracks.csv"))
    mgc("fit", "--data", "music", "--extractor", "lyrics", "--extractor", "mfcc",
        "--set", f"lyrics.model={tiny.save(tmp_path / 'tiny')}", "--set", "longest=10",
        "--head", "logistic")  # fmt: skip
    mgc("ensemble", "mean-probability", "--data", "music")
    rows = json.loads(mgc("compare", "--data", "music", "--json"))
    assert {row["kind"] for row in rows} == {"single", "ensemble"}
    assert len(rows) == 3
