import errno
import fcntl
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from mgc.datasets.download import verified_files
from mgc.datasets.download.fetch import Patience, fetch
from mgc.errors import MgcError
from tests.datasets.download.server import Behaviour, Server, serving

SIZE = 3_000_000
QUICK = Patience(attempts=3, timeout=0.5, pause=0.01)
CONTENT = np.random.default_rng(0).bytes(SIZE)
SHA1 = hashlib.sha1(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path: Path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a.zip").write_bytes(CONTENT)
    with serving(tmp_path / "www") as running:
        yield running


def get(server: Server, target: Path, **options: object) -> str:
    given: dict = {"sha1": SHA1, "patience": QUICK, **options}
    return fetch(server.url + "a.zip", target, **given)


def kept(target: Path) -> int:
    part = target.with_name(f"{target.name}.part")
    return part.stat().st_size if part.exists() else 0


class Said:
    """Remembers the progress that was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.units = 0

    def task(self, what: str, total: int | None, unit: str):
        from contextlib import contextmanager

        @contextmanager
        def made():
            yield self

        return made()

    def advance(self, count: int = 1) -> None:
        self.units += count

    def say(self, line: str) -> None:
        self.lines.append(line)

    def epoch(self, row: object) -> None: ...


def test_a_file_comes_whole(server: Server, tmp_path: Path) -> None:
    said = Said()
    target = tmp_path / "to" / "a.zip"
    assert get(server, target, size=SIZE, progress=said) == SHA1
    assert target.read_bytes() == CONTENT
    assert said.units == 3
    assert not list(target.parent.glob("*.part*"))
    get(server, target)
    assert len(server.requests) == 1


def test_dropped_connections_are_taken_up_and_nothing_comes_twice(
    server: Server, tmp_path: Path
) -> None:
    server.script = [Behaviour(drop=n) for n in (1_000_003, 700_001, 5, 0)]
    said = Said()
    get(server, tmp_path / "a.zip", progress=said)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.bytes_of("a.zip") == SIZE
    assert [start for _, start, _ in server.sent] == [0, 1_000_003, 1_700_004, 1_700_009, 1_700_009]
    assert len(said.lines) == 4
    assert "the connection broke; resuming at 1.0 MB" in said.lines[0]


def test_a_later_call_goes_on(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(drop=0)
    server.script = [Behaviour(drop=1_234_567)]
    with pytest.raises(MgcError, match="cannot be fetched: the connection broke") as caught:
        get(server, tmp_path / "a.zip")
    assert "1.2 MB are kept" in caught.value.hint
    assert kept(tmp_path / "a.zip") == 1_234_567
    server.usual = Behaviour()
    get(server, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.bytes_of("a.zip") == SIZE
    assert server.requests[-1]["Range"] == "bytes=1234567-"
    assert server.requests[-1]["If-Range"].startswith('"')


def test_a_date_serves_as_validator_a_weak_tag_does_not(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(validator="date")
    server.script = [Behaviour(drop=1_000_000, validator="date")]
    get(server, tmp_path / "a.zip")
    assert server.bytes_of("a.zip") == SIZE
    server.usual = Behaviour(validator="weak")
    server.script = [Behaviour(drop=1_000_000, validator="weak")]
    server.sent.clear()
    get(server, tmp_path / "b.zip")
    assert [start for _, start, _ in server.sent] == [0, 0]
    assert (tmp_path / "b.zip").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_begins_again(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(ranges=False)
    server.script = [Behaviour(drop=1_000_000, ranges=False)]
    get(server, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_and_always_drops_ends(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(ranges=False, drop=1_000_000)
    with pytest.raises(MgcError, match="attempts failed"):
        get(server, tmp_path / "a.zip")
    assert len(server.requests) <= 6


def test_a_file_that_changed_meanwhile_begins_again(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(drop=0)
    server.script = [Behaviour(drop=1_000_000)]
    with pytest.raises(MgcError):
        get(server, tmp_path / "a.zip")
    other = CONTENT[::-1]
    (server.folder / "a.zip").write_bytes(other)
    server.usual = Behaviour()
    get(server, tmp_path / "a.zip", sha1=hashlib.sha1(other).hexdigest())
    assert (tmp_path / "a.zip").read_bytes() == other


def test_another_range_than_the_one_asked_for_is_not_appended(
    server: Server, tmp_path: Path
) -> None:
    server.script = [Behaviour(drop=1_000_000), Behaviour(shift=10)]
    get(server, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_part_that_is_already_whole_needs_no_byte(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(drop=0)
    server.script = [Behaviour(drop=SIZE - 1)]
    with pytest.raises(MgcError):
        get(server, tmp_path / "a.zip")
    with open(tmp_path / "a.zip.part", "ab") as file:
        file.write(CONTENT[-1:])
    server.usual = Behaviour()
    server.sent.clear()
    get(server, tmp_path / "a.zip")
    assert server.bytes_of("a.zip") == 0
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(drop=0)
    server.script = [Behaviour(drop=SIZE - 1)]
    with pytest.raises(MgcError):
        get(server, tmp_path / "a.zip")
    with open(tmp_path / "a.zip.part", "ab") as file:
        file.write(b"x" * 100)
    server.usual = Behaviour()
    get(server, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_said_at_once(server: Server, tmp_path: Path, status: int) -> None:
    server.usual = Behaviour(status=status)
    with pytest.raises(MgcError, match=f"the server says {status}") as caught:
        get(server, tmp_path / "a.zip")
    assert "--url" in caught.value.hint
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_failure_is_tried_again(server: Server, tmp_path: Path, status: int) -> None:
    server.script = [Behaviour(drop=500_000), Behaviour(status=status), Behaviour(status=status)]
    get(server, tmp_path / "a.zip")
    assert server.bytes_of("a.zip") == SIZE


def test_a_lasting_failure_ends_with_what_is_kept(server: Server, tmp_path: Path) -> None:
    server.script = [Behaviour(drop=500_000)]
    server.usual = Behaviour(status=500)
    with pytest.raises(MgcError, match="the server says 500"):
        get(server, tmp_path / "a.zip")
    assert len(server.requests) == 1 + QUICK.attempts
    assert kept(tmp_path / "a.zip") == 500_000


def test_a_stall_counts_as_a_broken_connection(server: Server, tmp_path: Path) -> None:
    server.script = [Behaviour(drop=800_000, stall=2.0)]
    said = Said()
    get(server, tmp_path / "a.zip", progress=said)
    assert "the connection stalled" in said.lines[0]
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.requests[1]["Range"] == "bytes=800000-"


def test_a_wrong_length_is_said_before_it_is_fetched(server: Server, tmp_path: Path) -> None:
    with pytest.raises(MgcError, match="has 3,000,000 bytes; the published file has 4"):
        get(server, tmp_path / "a.zip", size=4)
    assert kept(tmp_path / "a.zip") == 0


def test_a_content_length_that_is_too_small_is_found_out(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(announce=-1000)
    with pytest.raises(MgcError, match="is not the published file"):
        get(server, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_content_length_that_is_too_large_costs_one_more_question(
    server: Server, tmp_path: Path
) -> None:
    server.usual = Behaviour(announce=1000)
    get(server, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.bytes_of("a.zip") == SIZE


def test_wrong_bytes_never_get_the_name(server: Server, tmp_path: Path) -> None:
    server.script = [Behaviour(spoil=True)]
    with pytest.raises(MgcError, match="is not the published file") as caught:
        get(server, tmp_path / "a.zip")
    assert "--sha1 a.zip=" in caught.value.hint
    assert not (tmp_path / "a.zip").exists()
    assert (tmp_path / "a.zip.wrong").stat().st_size == SIZE
    get(server, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_spoilt_kept_bytes_are_found_out(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(drop=0)
    server.script = [Behaviour(drop=1_000_000)]
    with pytest.raises(MgcError):
        get(server, tmp_path / "a.zip")
    with open(tmp_path / "a.zip.part", "r+b") as file:
        file.write(b"\0" * 100)
    server.usual = Behaviour()
    with pytest.raises(MgcError, match="is not the published file"):
        get(server, tmp_path / "a.zip")


def test_no_server_at_all(tmp_path: Path) -> None:
    with pytest.raises(MgcError, match="the server refuses connections"):
        fetch("http://127.0.0.1:9/a.zip", tmp_path / "a.zip", sha1=None, patience=QUICK)


@pytest.mark.parametrize("url", ["ftp://host/a.zip", "a.zip", "http://", "file:///etc/passwd"])
def test_what_is_no_address(url: str, tmp_path: Path) -> None:
    with pytest.raises(MgcError, match="is not a valid URL"):
        fetch(url, tmp_path / "a.zip", sha1=None, patience=QUICK)


def test_without_a_known_hash_what_comes_is_taken(server: Server, tmp_path: Path) -> None:
    assert get(server, tmp_path / "a.zip", sha1=None) == SHA1


def test_a_full_disk_is_said_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified_files, "RESERVE", 1 << 60)
    with pytest.raises(MgcError, match=r"Fetching a\.zip needs 3\.0 MB in") as caught:
        get(server, tmp_path / "a.zip")
    assert "--to DIR" in caught.value.hint


def test_two_at_once_are_kept_apart(server: Server, tmp_path: Path) -> None:
    from filelock import FileLock

    with (
        FileLock(tmp_path / ".a.zip.lock"),
        pytest.raises(MgcError, match="being fetched by another process"),
    ):
        get(server, tmp_path / "a.zip")


def test_a_disk_without_locks_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    with pytest.raises(MgcError, match="cannot be locked"):
        get(server, tmp_path / "a.zip")


def test_a_file_that_is_there_is_hashed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(CONTENT)
    assert verified_files.verify(path, SHA1) == SHA1
    monkeypatch.setattr(verified_files, "digest", None)
    assert verified_files.verify(path, SHA1) == SHA1
    with pytest.raises(MgcError, match="is not the published file"):
        verified_files.verify(path, "0" * 40)
    monkeypatch.undo()
    path.write_bytes(CONTENT[:-1])
    os.utime(path, ns=(1, 1))
    with pytest.raises(MgcError, match="is not the published file"):
        verified_files.verify(path, SHA1)


def test_a_spoilt_note_of_the_hash_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(CONTENT)
    (tmp_path / ".a.zip.sha1.json").write_text("{")
    assert verified_files.verify(path, SHA1) == SHA1


def test_without_a_length_a_file_still_comes_whole(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(length=False)
    assert get(server, tmp_path / "a.zip", size=SIZE) == SHA1


def test_without_a_length_it_stops_at_the_published_size(server: Server, tmp_path: Path) -> None:
    server.usual = Behaviour(length=False)
    with pytest.raises(MgcError, match="sends more than the 1,000,000 bytes"):
        get(server, tmp_path / "a.zip", size=1_000_000)
    assert kept(tmp_path / "a.zip") == 0
    assert len(server.requests) == 1


def test_without_a_length_it_leaves_the_disk_its_reserve(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.usual = Behaviour(length=False)
    monkeypatch.setattr(verified_files, "RESERVE", 1 << 60)
    with pytest.raises(MgcError, match=r"Fetching more of a\.zip needs"):
        get(server, tmp_path / "a.zip")
    assert kept(tmp_path / "a.zip") == 0
