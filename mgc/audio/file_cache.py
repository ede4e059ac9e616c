"""Remembers findings about files, so that a second run does not need to read them again.

One SQLite file in the home folder per kind of finding, by path, size and mtime. Losing
it costs only time: problems with it never stop a run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc.home import home

Stamp = tuple[int, int]  # size in bytes, time of the last change in ns


def stamp(path: Path) -> Stamp | None:
    """What changes when a file does; None if there is no file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class FileCache:
    """One table of findings.

    Attributes:
        name: the SQLite file in the home folder.
        table: the table in it.
        columns: its columns as SQL: path, size and mtime_ns, then those of a finding.
        key: turns a path into its key in the table.
    """

    name: str
    table: str
    columns: str
    key: Callable[[Path], str | bytes]

    def known(
        self, paths: Iterable[Path], wanted: str
    ) -> dict[Path, tuple[Stamp, tuple[Any, ...]]]:
        """The stamp and the ``wanted`` columns of those files that have not changed since."""
        found = {}
        query = f"SELECT {wanted} FROM {self.table} WHERE path = ? AND size = ? AND mtime_ns = ?"
        with self._database() as database:
            for path in paths:
                if now := stamp(path):
                    row = database.execute(query, (self.key(path), *now)).fetchone()
                    if row is not None:
                        found[path] = (now, row)
        return found

    def remember(self, findings: Mapping[Path, tuple[Stamp | None, tuple[Any, ...]]]) -> None:
        """Store findings, each with the stamp that the file had before it was read."""
        rows = [(self.key(p), *stamp, *one) for p, (stamp, one) in findings.items() if stamp]
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            with self._database() as database, database:
                database.executemany(f"INSERT OR REPLACE INTO {self.table} VALUES ({marks})", rows)

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """The database; one in memory if the stored one cannot be used."""
        try:
            database = self._opened()
        except (OSError, sqlite3.Error):
            database = self._with_table(":memory:")
        # Locked for a minute, or the disk is full: fewer findings are known, and none are stored.
        with closing(database), suppress(sqlite3.Error):
            yield database

    def _opened(self) -> sqlite3.Connection:
        path = home() / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._with_table(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # "file is not a database"
            path.unlink()
            return self._with_table(path)

    def _with_table(self, path: Path | str) -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=60)
        try:
            database.execute(f"CREATE TABLE IF NOT EXISTS {self.table} {self.columns}")
        except sqlite3.Error:
            database.close()
            raise
        return database
