"""Remembers the content hash of audio files, so that a second run does not read them to know them.

One SQLite file at home: (path, size, modification time) → SHA-256. Losing it costs time only, so
no trouble with it stops a run.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from mgc.home import cache_database

_TABLE = (
    "CREATE TABLE IF NOT EXISTS files"
    " (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT) WITHOUT ROWID"
)
_FIND = "SELECT sha256 FROM files WHERE path = ? AND size = ? AND mtime_ns = ?"
_KEEP = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)"

Stamp = tuple[int, int]  # size in bytes, time of the last change in ns


def stamp(path: Path) -> Stamp | None:
    """What changes when a file does; None where there is no file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns


def known(paths: Iterable[Path]) -> dict[Path, tuple[Stamp, str]]:
    """The stamps and hashes of those files that have not changed since they were hashed."""
    found = {}
    with _database() as database:
        for path in paths:
            now = stamp(path)
            if now is None:
                continue
            row = database.execute(_FIND, (os.fsencode(path), *now)).fetchone()
            if row is not None:
                found[path] = (now, row[0])
    return found


def remember(hashes: Mapping[Path, tuple[Stamp, str]]) -> None:
    """Keep hashes, each with the stamp that the file had before it was read."""
    rows = [(os.fsencode(path), *stamp, sha) for path, (stamp, sha) in hashes.items()]
    with _database() as database, database:
        database.executemany(_KEEP, rows)


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    """The database; one in memory where that at home cannot be used."""
    try:
        database = cache_database("audio-hashes.sqlite", _TABLE)
    except (OSError, sqlite3.Error):
        database = sqlite3.connect(":memory:")
        database.execute(_TABLE)
    # Locked for a minute, or the disk is full: then less is known, and nothing is remembered.
    with closing(database), suppress(sqlite3.Error):
        yield database
