"""Findings kept by file: databases made before are read, and changed files are not known."""

import json
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from mgc.audio import decoders, decoding, file_cache
from mgc.audio.file_cache import Stamp, stamp
from mgc.datasets.quality import listening
from mgc.features import file_hashes
from mgc.features.extraction import extract
from mgc.features.extractor_spec import ExtractorSpec
from mgc.progress import Silent
from tests.sounds import album

#: The tables as the first version made them.
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


def swap(file: Path, content: bytes) -> None:
    """Put another file in place of one, with the same size and time of change."""
    before = file.stat()
    other = file.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(before.st_mtime_ns, before.st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize("rights", [0o600, 0o644])
def test_other_rights_mean_hash_again(mgc_home: Path, file: Path, rights: int) -> None:
    found = stamp(file)
    assert found is not None
    assert file_hashes.remember({file: (found, "c" * 64)}) == ""
    assert file in file_hashes.known([file])
    file.chmod(rights)
    assert file_hashes.known([file]) == {}


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("ext4", True), ("xfs", True), ("btrfs", True), ("apfs", True), ("tmpfs", True),
        ("nfs4", False), ("cifs", False), ("fuse.sshfs", False), ("fuseblk", False),
        ("9p", False), ("vfat", False), ("exfat", False),
    ],
)  # fmt: skip
def test_the_inode_counts_where_it_is_stable(
    file: Path, monkeypatch: pytest.MonkeyPatch, kind: str, counts: bool
) -> None:
    mounts = [
        SimpleNamespace(mountpoint="/", fstype="rootfs"),
        SimpleNamespace(mountpoint=mount_of(file), fstype=kind),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    monkeypatch.setattr(file_cache, "_stable", {})
    found = stamp(file)
    assert found is not None
    assert found.inode == (file.stat().st_ino if counts else None)
    assert found.ctime_ns == file.stat().st_ctime_ns


def mount_of(path: Path) -> str:
    while not path.is_mount():
        path = path.parent
    return str(path)


def test_an_inode_that_only_one_knows_does_not_count() -> None:
    assert Stamp(1, 2, 3, 4).is_same(Stamp(1, 2, 3, None))
    assert Stamp(1, 2, 3, 4).is_same(Stamp(1, 2))
    for other in (Stamp(0, 2), Stamp(1, 0), Stamp(1, 2, 0), Stamp(1, 2, 3, 0)):
        assert not Stamp(1, 2, 3, 4).is_same(other)


def heard(file: Path, revision: str) -> None:
    """Keep a result for the file's content, as if it had been heard by this revision."""
    found = stamp(file)
    assert found is not None
    sha = decoding.content_hash(file)
    file_hashes.remember({file: (found, sha)})
    facts = json.dumps({"problem": "odd", "rate": 8_000})
    listening._CACHE.keep([(sha, revision, facts, b"\1\0\0\0\2\0\0\0")])


def test_what_was_heard_before_is_found(mgc_home: Path, file: Path) -> None:
    heard(file, listening._revision(decoding.DECODER))
    found = listening.hear([file], codes=True)[file]
    assert (found.problem, found.rate, found.codes.tolist()) == ("odd", 8_000, [1, 2])
    moved = file.rename(file.with_name("moved.wav"))
    assert listening.hear([moved], workers=1)[moved].problem == "odd"


@pytest.mark.parametrize(
    "by", [decoding.DECODER, "PyAV 1, FFmpeg 2", f"{decoding.DECODER}, PyAV 1, FFmpeg 2"]
)
def test_a_result_is_valid_as_long_as_its_decoder_is(
    mgc_home: Path, file: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setattr(decoders, "pyav", lambda: "PyAV 1, FFmpeg 2")
    heard(file, listening._revision(by))
    assert file in listening.recall([file])
    for other in ("PyAV 2, FFmpeg 2", ""):
        monkeypatch.setattr(decoders, "pyav", lambda now=other: now)
        assert (file in listening.recall([file])) == (by == decoding.DECODER)


def test_what_another_revision_heard_is_not(
    mgc_home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard(file, "1, other")
    assert listening.recall([file]) == {}
    heard(file, listening._revision(decoding.DECODER))
    monkeypatch.setattr(listening, "HEARING_REVISION", 99)
    assert listening.recall([file]) == {}


def test_the_first_version_s_results_are_not_read(mgc_home: Path, file: Path) -> None:
    found = file.stat()
    row = (str(file), found.st_size, found.st_mtime_ns, "2, same decoder", "{}", b"")
    insert(mgc_home / "heard.sqlite", HEARD, row)
    assert listening.hear([file], workers=1)[file].problem
    with sqlite3.connect(mgc_home / "heard.sqlite") as made:
        assert made.execute("SELECT count(*) FROM heard").fetchone() == (1,)


@pytest.mark.parametrize(
    "trouble",
    [
        sqlite3.OperationalError("attempt to write a readonly database"),
        sqlite3.OperationalError("database or disk is full"),
        sqlite3.OperationalError("database is locked"),
        sqlite3.OperationalError("disk I/O error"),  # a file system without locks
        sqlite3.OperationalError("unable to open database file"),
        OSError(30, "Read-only file system"),
        PermissionError(13, "Permission denied"),
    ],
    ids=str,
)
def test_a_cache_that_cannot_be_kept_is_said_once(
    mgc_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def connect(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(sqlite3, "connect", connect)
    monkeypatch.setattr(listening, "KEPT_AT_ONCE", 2)
    paths = album(tmp_path, 5)
    told = Told()
    assert not any(one.problem for one in listening.hear(paths, workers=1, progress=told).values())
    assert extract(paths, [ExtractorSpec("mel")], told).made == 5
    words = getattr(trouble, "strerror", None) or str(trouble)
    kept, looked = told.lines
    assert kept.startswith("What was heard is not kept: ")
    assert looked.startswith("The next run will look at all files again: ")
    assert all(
        line.endswith(f"audio-hashes.sqlite cannot be written ({words}).") for line in told.lines
    )


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


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


@pytest.mark.parametrize("column", ["path", "sound"])
def test_a_changed_row_is_not_used(mgc_home: Path, file: Path, column: str) -> None:
    now = stamp(file)
    assert now is not None
    file_hashes.remember({file: (now, "c" * 64)})
    assert file_hashes.known([file]) == {file: (now, "c" * 64)}
    copy = file.with_name("b.wav")
    os.link(file, copy)  # the same stamp, but for the time of its last change
    now = stamp(copy)
    assert now is not None
    file_hashes.remember({file: (now, "c" * 64)})
    value = {"path": os.fsencode(copy), "sound": "d" * 64}[column]
    with sqlite3.connect(mgc_home / "audio-hashes.sqlite") as database:
        database.execute(f"UPDATE sounds_2 SET {column} = ?", (value,))
    assert file_hashes.known([file, copy]) == {}


def test_a_changed_fingerprint_is_not_used(mgc_home: Path, file: Path) -> None:
    heard(file, listening._revision(decoding.DECODER))
    with sqlite3.connect(mgc_home / "heard.sqlite") as database:
        database.execute("UPDATE contents SET codes = ?", (b"\1\0\0\0\3\0\0\0",))
    assert listening.recall([file])[file].problem == "odd"
    assert listening.recall([file], codes=True) == {}
    with sqlite3.connect(mgc_home / "heard.sqlite") as database:
        database.execute("UPDATE contents SET facts = replace(facts, 'odd', 'add')")
    assert listening.recall([file]) == {}


def test_a_cache_that_is_a_pipe_or_a_device_is_made_anew(mgc_home: Path, file: Path) -> None:
    path = mgc_home / "audio-hashes.sqlite"
    for put in (lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/null")):
        put()
        assert file_hashes.known([file]) == {}
        [sha] = file_hashes.hashes([file])
        assert path.is_file()
        assert file_hashes.known([file]) == {file: (stamp(file), sha)}
        path.unlink()
