"""Findings kept by file: databases made before are read, and changed files are not known."""

import json
import sqlite3
from pathlib import Path

import pytest

from mgc.audio.file_cache import stamp
from mgc.datasets.quality import listening
from mgc.features import file_hashes

#: The tables as the first version made them.
HASHES = (
    "CREATE TABLE IF NOT EXISTS files"
    " (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT) WITHOUT ROWID"
)
HEARD = (
    "CREATE TABLE IF NOT EXISTS heard (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER,"
    " revision TEXT, facts TEXT, codes BLOB)"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    path.write_bytes(b"no sound")
    return path


def insert(database: Path, table: str, row: tuple[object, ...]) -> None:
    database.parent.mkdir(exist_ok=True)
    with sqlite3.connect(database) as made:
        made.execute(table)
        name = table.split("EXISTS ")[1].split(" ")[0]
        made.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)


def test_hashes_kept_before_are_found(mgc_home: Path, file: Path) -> None:
    found = file.stat()
    row = (str(file).encode(), found.st_size, found.st_mtime_ns, "c" * 64)
    insert(mgc_home / "audio-hashes.sqlite", HASHES, row)
    assert file_hashes.known([file]) == {file: (stamp(file), "c" * 64)}


def test_what_was_heard_before_is_found(mgc_home: Path, file: Path) -> None:
    found, facts = file.stat(), json.dumps({"problem": "odd", "rate": 8_000})
    codes = b"\1\0\0\0\2\0\0\0"
    row = (str(file), found.st_size, found.st_mtime_ns, listening._revision(), facts, codes)
    insert(mgc_home / "heard.sqlite", HEARD, row)
    heard = listening.hear([file], codes=True)[file]
    assert (heard.problem, heard.rate, heard.codes.tolist()) == ("odd", 8_000, [1, 2])


def test_what_another_revision_heard_is_not(mgc_home: Path, file: Path) -> None:
    found = file.stat()
    row = (str(file), found.st_size, found.st_mtime_ns, "1, other", "{}", b"")
    insert(mgc_home / "heard.sqlite", HEARD, row)
    assert listening.recall([file]) == {}


def test_a_home_that_cannot_be_written_stops_no_listening(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "file"))
    assert listening.hear([file], workers=1)[file].problem


def test_a_file_that_changes_while_it_is_heard_is_heard_again(
    mgc_home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def changing(work, paths, *_):
        for path in paths:
            path.write_bytes(b"other bytes, written in between")
            yield path, vars(listening.ListeningResult(problem="half of each"))

    monkeypatch.setattr("mgc.audio.processes.each_path.each", changing)
    assert listening.hear([file])[file].problem == "half of each"
    assert listening.recall([file]) == {}
