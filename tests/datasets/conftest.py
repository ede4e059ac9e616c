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
    time = np.arange(int(seconds * rate)) / rate
    wave = np.zeros(len(time))
    for start in np.arange(0, seconds, 0.25):
        tone = np.sin(2 * np.pi * random.uniform(150, 1800, 3)[:, None] * time).sum(axis=0)
        decay = np.exp(-6 * np.clip(time - start, 0, None)) * (time >= start)
        wave += tone * decay * random.uniform(0.3, 1)
    wave += 0.02 * random.standard_normal(len(time))
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
