"""Files, the table of tracks and what was heard of them, for the steps of `benchmarks.scale`."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import wave
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

GENRES = tuple(f"genre {number:02d}" for number in range(16))
MAX_LINKS = 50_000  # names of one file; ext4 allows 65,000
IN_FOLDER = 1_000
PER_ARTIST = 5  # tracks, on average
CODES = 1_170  # in the fingerprint of 30 s of music


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


def hash_of(number: int) -> str:
    """The hash of the sound of a track."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def hear(paths: Sequence[Path]) -> None:
    """Store what ``mgc data check`` would: hashes, and findings with random codes of real length.

    The findings go into the table as they are stored, in one transaction without a journal: a
    transaction each for a few thousand tracks would write the index, whose keys come in no order,
    over and over.
    """
    from mgc.audio import file_cache
    from mgc.datasets.quality import listening
    from mgc.features import file_hashes

    kept, rng = listening._CACHE, np.random.default_rng(0)
    heard = listening.ListeningResult(
        decoder=listening.decoding.DECODER, rate=22_050, channels=1, seconds=30.0, peak=0.5,
        loudest=0.1, quietest=0.1, samples="NAME", codes=np.zeros(CODES, np.uint32),
    )  # fmt: skip
    revision, facts, _ = listening._row(heard)
    kept.keep([("", revision, facts, b"")])  # makes the table
    with closing(sqlite3.connect(kept.path, isolation_level=None)) as database:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -262144"):
            database.execute(f"PRAGMA {setting}")
        database.execute("BEGIN")
        database.execute("DELETE FROM contents")
        for start in range(0, len(paths), IN_FOLDER):
            some = paths[start : start + IN_FOLDER]
            names = [hash_of(start + number) for number in range(len(some))]
            stamps = [file_hashes.stamp(path) or file_hashes.Stamp(0, 0) for path in some]
            file_hashes.remember(dict(zip(some, zip(stamps, names, strict=True), strict=True)))
            codes = rng.integers(1, 1 << 32, (len(some), CODES), np.uint32).astype("<u4")
            rows = [
                (name, revision, facts.replace("NAME", name[:32]), one.tobytes())
                for name, one in zip(names, codes, strict=True)
            ]
            database.executemany(
                "INSERT INTO contents VALUES (?, ?, ?, ?, ?)",
                [(*row, file_cache._checks(row)) for row in rows],
            )
        database.execute("COMMIT")
