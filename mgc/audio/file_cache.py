"""Remembers findings about files, so that a second run does not need to read them again.

One table in an SQLite file in the home folder per kind of finding. Losing it costs only time:
problems with it (a home that cannot be written, a full disk, another process that holds the
lock, a damaged row) never stop a run.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from mgc.home import checksum, home

LOCKED_SECONDS = 5.0  # how long to wait for another process; a write takes milliseconds
#: File systems on which a file keeps its inode. A network, FUSE or a memory card may number anew.
STABLE_INODES = {"apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "jfs"}
STABLE_INODES |= {"overlay", "reiserfs", "tmpfs", "ufs", "xfs", "zfs"}
MAX_KEYS = 500  # in one query; SQLite may be built for 999
MAX_INTEGER = (1 << 63) - 1  # of SQLite; inodes may be larger

CHECKS = "checksums"  # a column: a row's checksum without its last value, and that value's

K = TypeVar("K", str, bytes)
T = TypeVar("T")


class Stamp(NamedTuple):
    """What changes when a file does: its size in bytes and time of change; when it was last renamed
    or given other rights, and its inode, as far as they are known."""

    size: int
    mtime_ns: int
    ctime_ns: int | None = None
    inode: int | None = None

    def is_same(self, other: Stamp) -> bool:
        """Whether nothing differs that both know."""
        if self == other:
            return True
        pairs = zip(self, other, strict=True)
        return all(one == two for one, two in pairs if one is not None and two is not None)


def stamp(path: Path) -> Stamp | None:
    """A file's stamp now; None if there is no file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    inode = found.st_ino & MAX_INTEGER if _has_stable_inodes(path, found.st_dev) else None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, inode)


_stable: dict[int, bool] = {}  # by device


def _has_stable_inodes(path: Path, device: int) -> bool:
    if device not in _stable:
        import psutil

        mount = os.path.realpath(path)
        while not os.path.ismount(mount):
            mount = os.path.dirname(mount)
        kinds = {found.mountpoint: found.fstype for found in psutil.disk_partitions(all=True)}
        _stable[device] = kinds.get(mount) in STABLE_INODES
    return _stable[device]


@dataclass(frozen=True)
class FileCache:
    """One table of findings.

    Attributes:
        name: the SQLite file in the home folder.
        table: the table in it.
        columns: its columns as SQL, the key first.
        added: those of them that a table made by an earlier version may lack.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    added: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return home() / self.name

    def find(
        self, keys: Iterable[K], wait: float = LOCKED_SECONDS, *, last: bool = True
    ) -> dict[K, tuple[Any, ...]]:
        """The rows with these keys, without the last column unless ``last``, as far as they are as
        they were written; none if the table cannot be read, for example because another process has
        locked it for longer than ``wait`` seconds."""
        found: dict[K, tuple[Any, ...]] = {}
        if not self.path.is_file():  # opening a pipe would wait forever
            return found
        names: list[str] = self._names if last else self._names[:-1]
        with suppress(OSError, sqlite3.Error), closing(self._read_only(wait)) as database:
            there = {row[1] for row in database.execute(f"PRAGMA table_info({self.table})")}
            wanted = [name for name in (*names, CHECKS) if name in there]
            query = f"SELECT {', '.join(wanted)} FROM {self.table} WHERE {names[0]} IN "
            for some in batched(keys, MAX_KEYS):
                marks = ", ".join("?" * len(some))
                rows = {row[0]: row for row in database.execute(f"{query}({marks})", some)}
                for key in filter(rows.__contains__, some):
                    row = rows[key]
                    said = (row[-1] or "") if CHECKS in there else ""
                    row = row[:-1] if CHECKS in there else row
                    if not said or said.startswith(_checks(row) if last else _check(row)):
                        found[key] = row
        return found

    def keep(self, rows: Sequence[tuple[Any, ...]]) -> str:
        """Store rows, each with all columns. Returns why that is not possible, or ""."""
        if not rows:
            return ""
        marks = ", ".join("?" * (len(self._names) + 1))
        columns = ", ".join([*self._names, CHECKS])
        insert = f"INSERT OR REPLACE INTO {self.table} ({columns}) VALUES ({marks})"
        try:
            with closing(self._opened()) as database, database:
                database.executemany(insert, [(*row, _checks(row)) for row in rows])
        except (OSError, sqlite3.Error) as error:
            return f"{self.path} cannot be written ({getattr(error, 'strerror', None) or error})."
        return ""

    @property
    def _names(self) -> list[str]:
        return [column.partition(" ")[0] for column in self.columns]

    def _read_only(self, wait: float) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.path.as_uri()}?mode=ro", timeout=wait, uri=True)

    def _opened(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.is_file():
            self.path.unlink(missing_ok=True)
        try:
            return self._with_table()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # "file is not a database"
            self.path.unlink()
            return self._with_table()

    def _with_table(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=LOCKED_SECONDS)
        try:
            added = f"{CHECKS} TEXT"
            columns = ", ".join([*self.columns, added])
            database.execute(f"CREATE TABLE IF NOT EXISTS {self.table} ({columns})")
            for column in (*self.added, added):
                with suppress(sqlite3.OperationalError):  # it is there
                    database.execute(f"ALTER TABLE {self.table} ADD COLUMN {column}")
        except sqlite3.Error:
            database.close()
            raise
        return database


def batched(values: Iterable[T], count: int) -> Iterator[list[T]]:
    """The values, at most ``count`` at a time."""
    left = iter(values)
    while some := list(islice(left, count)):
        yield some


def _check(values: tuple[Any, ...]) -> str:
    return checksum(repr(values).encode())


def _checks(row: tuple[Any, ...]) -> str:
    return _check(row[:-1]) + _check(row[-1:])
