"""Small music, made on the spot, in the layouts that people have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

RATE = 22_050


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for each test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("MGC_HOME", str(folder))
    return folder


def music(seed: int, seconds: float = 2.0, rate: int = RATE) -> np.ndarray:
    """Tones and noise bursts (sample,) float32 that no other seed has."""
    random = np.random.default_rng(seed)
    wave = 0.02 * random.standard_normal(int(seconds * rate))
    ring = np.arange(rate) / rate
    for start in range(0, len(wave), rate // 4):
        pitches = random.uniform(150, 1800, 3)[:, None]
        tone = np.sin(2 * np.pi * pitches * ring).sum(axis=0) * np.exp(-6 * ring)
        part = wave[start : start + rate]
        part += random.uniform(0.3, 1) * tone[: len(part)]
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def write(path: Path, wave: np.ndarray, rate: int = RATE, **options: object) -> Path:
    """Write audio; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, **options)
    return path


def rows(genres: int = 2, artists: int = 6, tracks: int = 3) -> pd.DataFrame:
    """A complete table: each artist plays one genre."""
    made = [
        {
            "track_id": f"{genre}-{artist}-{track}",
            "path": f"g{genre}/a{artist}/{track}.wav",
            "genre": f"g{genre}",
            "split": "",
            "artist": f"{genre}-{artist}",
            "album": "",
            "title": "",
            "duration": 2.0,
        }
        for genre in range(genres)
        for artist in range(artists)
        for track in range(tracks)
    ]
    return pd.DataFrame(made).sort_values("track_id", ignore_index=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """``tree/<genre>/<artist>/<n>.wav``: 2 genres × 4 artists × 2."""
    for genre in range(2):
        for artist in range(4):
            for track in range(2):
                path = tmp_path / "tree" / f"genre{genre}" / f"artist{artist}" / f"{track}.wav"
                write(path, music(genre * 100 + artist * 10 + track, 0.5))
    return tmp_path / "tree"
