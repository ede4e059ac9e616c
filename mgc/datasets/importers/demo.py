"""The demo dataset: a small band of made-up artists, synthesised from a seed."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import soundfile

from mgc.datasets.synthesis.compose import GENRES, synthesise
from mgc.datasets.table import table
from mgc.home import replacing
from mgc.progress import Progress, Silent

ARTISTS = 6  # per genre
TRACKS = 3  # per artist
SECONDS = 8.0
SAMPLE_RATE = 22_050  # Hz


def make_demo(folder: Path, seed: int = 0, progress: Progress | None = None) -> pd.DataFrame:
    """Write the demo's audio below ``folder`` and return its table, 8 genres × 6 artists × 3.

    Deterministic in ``seed``; only missing files are made.
    """
    rows = []
    with (progress or Silent()).task(
        "making music", len(GENRES) * ARTISTS * TRACKS, "tracks"
    ) as task:
        for genre in GENRES:
            for artist in range(ARTISTS):
                for track in range(TRACKS):
                    rows.append(_track(folder, genre, artist, track, seed))
                    task.advance()
    return table(pd.DataFrame(rows), "the demo")


def write_song(path: Path, genre: str, artist: int, track: int, seed: int = 0) -> None:
    """Synthesise a song as FLAC."""
    wave = synthesise(genre, artist, track, seconds=SECONDS, sample_rate=SAMPLE_RATE, seed=seed)
    made = io.BytesIO()  # libsndfile would not say that a disk is full
    soundfile.write(made, wave, SAMPLE_RATE, format="FLAC")
    with replacing(path, sync=False) as file:
        file.write(made.getvalue())


def _track(folder: Path, genre: str, artist: int, track: int, seed: int) -> dict[str, object]:
    path = (
        Path(f"audio-seed-{seed}") / genre / f"artist-{artist}" / f"{genre}-{artist}-{track}.flac"
    )
    if not (folder / path).exists():
        write_song(folder / path, genre, artist, track, seed)
    return {
        "track_id": f"{genre}-{artist}-{track}",
        "path": path.as_posix(),
        "genre": genre,
        "artist": f"{genre} artist {artist}",
        "title": f"{genre.title()} {artist}.{track}",
        "duration": SECONDS,
    }
