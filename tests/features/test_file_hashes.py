"""The memory of content hashes: right, or silent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mgc.features import file_hashes


def remembered(path: Path, sha: str = "a" * 64) -> None:
    found = file_hashes.stamp(path)
    assert found is not None
    file_hashes.remember({path: (found, sha)})


def test_an_unchanged_file_is_known(mgc_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    assert file_hashes.known([path]) == {}
    remembered(path)
    assert file_hashes.known([path, tmp_path / "other"]) == {
        path: (file_hashes.stamp(path), "a" * 64)
    }


@pytest.mark.parametrize("change", ["size", "time", "gone"])
def test_a_changed_file_is_not(mgc_home: Path, tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    remembered(path)
    if change == "size":
        before = path.stat().st_mtime_ns
        path.write_bytes(b"more sound")
        os.utime(path, ns=(before, before))
    elif change == "time":
        os.utime(path, ns=(1, 1))
    else:
        path.unlink()
    assert file_hashes.known([path]) == {}


def test_the_newest_hash_counts(mgc_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    remembered(path)
    remembered(path, "b" * 64)
    assert file_hashes.known([path])[path][1] == "b" * 64


def test_many_are_found_in_their_order_each_with_its_own(mgc_home: Path, tmp_path: Path) -> None:
    """More than one query asks for; every third is not known, one has changed."""
    paths = [tmp_path / f"{7 * number % 1203:04d}" for number in range(1203)]
    hashes = {path: f"{number:064x}" for number, path in enumerate(paths) if number % 3}
    found = {}
    for path in paths:
        path.write_bytes(b"sound")
        if path in hashes:
            found[path] = file_hashes.stamp(path), hashes[path]
    file_hashes.remember(found)  # type: ignore[arg-type]
    paths[700].write_bytes(b"more sound")
    del found[paths[700]]
    assert list(file_hashes.known(paths).items()) == list(found.items())


def test_a_name_that_is_no_utf8(mgc_home: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    path.write_bytes(b"sound")
    remembered(path)
    assert path in file_hashes.known([path])


def test_a_damaged_database_is_replaced(mgc_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    (mgc_home / "audio-hashes.sqlite").write_bytes(b"this is no database at all" * 100)
    assert file_hashes.known([path]) == {}
    remembered(path)
    assert path in file_hashes.known([path])


def test_a_home_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "file"))
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    remembered(path)
    assert file_hashes.known([path]) == {}


def test_a_locked_database_stops_nothing(
    mgc_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    remembered(path)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda where, **_: connect(where, timeout=0.01))
    with connect(mgc_home / "audio-hashes.sqlite") as other:
        other.execute("BEGIN EXCLUSIVE")
        assert file_hashes.known([path]) == {}
        remembered(path, "b" * 64)
    assert file_hashes.known([path])[path][1] == "a" * 64
