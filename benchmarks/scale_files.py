"""The files and the table of tracks that the steps of `benchmarks.scale` work on."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

GENRES = tuple(f"genre {number:02d}" for number in range(16))
MAX_LINKS = 50_000  # names of one file; ext4 allows 65,000
IN_FOLDER = 1_000
PER_ARTIST = 5  # tracks, on average


def make(size: int) -> None:
    """Names of a few very short files, and a table of tracks."""
    import pandas as pd

    rng = np.random.default_rng(0)
    first = Path("music")
    for number, path in enumerate(music_paths(size)):
        if not number % IN_FOLDER:
            path.parent.mkdir(parents=True)
        if number % MAX_LINKS:
            os.link(first, path)
        else:
            first = path
            _write_wave(path, number)
    artist = rng.integers(0, size // PER_ARTIST, size)
    table = pd.DataFrame(
        {
            "track_id": [f"t{number:07d}" for number in range(size)],
            "path": [str(path) for path in music_paths(size)],
            "genre": np.array(GENRES)[(artist * 7 + rng.integers(0, 2, size)) % len(GENRES)],
            "artist": [f"Artist {number}" for number in artist],
            "album": [f"{a}/Album {number % 3}" for number, a in enumerate(artist)],
            "title": [f"Title, {number}" for number in range(size)],
            "duration": rng.uniform(20, 40, size).round(2),
        }
    )
    table.to_csv("tracks.csv", index=False)


def music_paths(size: int) -> Iterator[Path]:
    """Of the tracks, in their order."""
    for number in range(size):
        yield Path("music", f"{number // IN_FOLDER:04d}", f"{number:07d}.wav")


def _write_wave(path: Path, number: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(np.full(800, number % 100 + 1, np.int16).tobytes())
