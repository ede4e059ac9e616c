"""Remembers the content hash of audio files, so that a second run does not read them to know them.

One SQLite file at home: (path, size, modification time) → SHA-256. Losing it costs time only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from mgc.home import home

_TABLE = (
    "CREATE TABLE IF NOT EXISTS audio"
    " (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT)"
)


def known(paths: Iterable[Path]) -> dict[Path, str]:
    """The hashes of those files that have not changed since they were hashed."""
    with closing(_open()) as database:
        rows = {row[0]: row[1:] for row in database.execute("SELECT * FROM audio")}
    found = {}
    for path in paths:
        row = rows.get(str(path))
        if row is not None and row[:2] == _stamp(path):
            found[path] = row[2]
    return found


def remember(hashes: Mapping[Path, str]) -> None:
    """Keep the hashes of files just read."""
    rows = [(str(path), *stamp, sha) for path, sha in hashes.items() if (stamp := _stamp(path))]
    with closing(_open()) as database, database:
        database.executemany("INSERT OR REPLACE INTO audio VALUES (?, ?, ?, ?)", rows)


def _open() -> sqlite3.Connection:
    folder = home()
    folder.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(folder / "audio-hashes.sqlite", timeout=60)
    database.execute(_TABLE)
    return database


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
