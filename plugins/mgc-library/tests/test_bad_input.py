"""Files and disks as they are: listed, nothing half-written, and undone to the byte."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mgc_library import journal, tags
from mutagen import id3

from . import library, show

BROKEN = b"\xff\xfe\xd8\xd8\xc3\x28\x80"  # neither UTF-8 nor UTF-16


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Writing beyond this size fails as on a full disk: a part is written, then an error comes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _frame(path: Path, frame: bytes, version: int) -> None:
    tag = b"ID3" + bytes((version, 0, 0)) + len(frame).to_bytes(4) + frame
    path.write_bytes(tag + path.read_bytes())


def _broken_id3(path: Path, encoding: int) -> None:
    text = bytes((encoding,)) + BROKEN
    _frame(path, b"TCON" + len(text).to_bytes(4) + b"\0\0" + text, 4)


def _broken_v22(path: Path) -> None:
    _frame(path, b"TCO" + (len(BROKEN) + 1).to_bytes(3) + b"\x01" + BROKEN, 2)


def _broken_ape(path: Path) -> None:
    item = len(BROKEN).to_bytes(4, "little") + bytes(4) + b"Genre\0" + BROKEN
    ends = [
        b"APETAGEX" + (2000).to_bytes(4, "little") + (len(item) + 32).to_bytes(4, "little")
        + (1).to_bytes(4, "little") + flags.to_bytes(4, "little") + bytes(8)
        for flags in (0xA0000000, 0x80000000)
    ]  # fmt: skip
    path.write_bytes(path.read_bytes() + ends[0] + item + ends[1])


def _broken_text(path: Path) -> None:
    """What stands in a tag in UTF-8 is made something else, of the same length."""
    tags.write(path, ["a" * len(BROKEN)])
    whole = path.read_bytes()
    assert b"a" * len(BROKEN) in whole
    path.write_bytes(whole.replace(b"a" * len(BROKEN), BROKEN))


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        *(("bare.mp3", lambda path, n=n: _broken_id3(path, n)) for n in (0, 1, 2, 3, 9)),
        ("bare.mp3", _broken_v22),
        ("bare.mp3", _broken_ape),
        *((kind, _broken_text) for kind in ("a.flac", "a.m4a", "a.wav", "a.aiff", "a.opus")),
    ],
)
def test_tags_in_broken_encodings(
    tmp_path: Path, run: str, mgc: Callable, kind: str, spoil: Callable[[Path], None]
) -> None:
    path = library.write(tmp_path / "lib" / f"0-{kind}", library.sound("calm", 1))
    spoil(path)
    before = everything(tmp_path)
    said = mgc("tag", tmp_path / "lib", "--run", run, "--write", "--replace", "--json")
    assert said.code in (0, 1), said.err
    if said.json[0]["failed"]:
        assert everything(tmp_path) == before
    else:
        assert tags.read(path).genres == ("calm",)
    mgc("tag", "--undo")
    assert everything(tmp_path) == before


def test_a_cover_picture_of_20_megabytes(tmp_path: Path, run: str, mgc: Callable) -> None:
    path = library.write(tmp_path / "0-bare.mp3", library.sound("calm", 1))
    frames = id3.ID3()
    frames.add(id3.APIC(mime="image/png", type=3, data=os.urandom(20 << 20)))
    frames.save(path)
    before = library.digests([path])
    mgc("tag", path, "--run", run, "--write")
    assert tags.read(path).genres == ("calm",)
    kept = sum(each.stat().st_size for each in journal.last().iterdir())
    assert kept < 10_000
    mgc("tag", "--undo")
    assert library.digests([path]) == before


def test_links(tmp_path: Path, run: str, mgc: Callable) -> None:
    path = library.write(tmp_path / "lib" / "a.flac", library.sound("calm", 1))
    (tmp_path / "lib" / "again").symlink_to(tmp_path / "lib")
    (tmp_path / "lib" / "round.flac").symlink_to("round.flac")
    (tmp_path / "lib" / "gone.flac").symlink_to("nowhere.flac")
    (tmp_path / "lib" / "link.flac").symlink_to("a.flac")
    before = everything(tmp_path)
    said = mgc("tag", tmp_path / "lib", "--run", run, "--write", "--json")
    left = {Path(row["path"]).name: row["left"] for row in said.json}
    assert left["a.flac"] == ""
    assert left["link.flac"] == "is calm already"
    assert left["round.flac"]
    assert left["gone.flac"]
    assert len(left) == 4
    assert (tmp_path / "lib" / "link.flac").is_symlink()
    assert tags.read(path).genres == ("calm",)
    mgc("tag", "--undo")
    assert everything(tmp_path) == before


@pytest.mark.parametrize("command", ["tag", "sort", "playlist"])
def test_names_that_are_not_utf8(tmp_path: Path, run: str, mgc: Callable, command: str) -> None:
    folder = tmp_path / "lib"
    song = library.write(folder / "a.flac", library.sound("calm", 1))
    path = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9 \xff.flac"))
    song.rename(path)
    before = everything(tmp_path)
    more = {"tag": ["--write"], "sort": ["--into", tmp_path / "s", "--write"]}
    said = mgc(command, folder, "--run", run, *more.get(command, ["--into", tmp_path / "p"]))
    assert said.code == 0, said.err
    if command == "playlist":
        lines = (tmp_path / "p" / "calm.m3u8").read_bytes().splitlines()
        assert os.fsencode(tmp_path / "p") + b"/" + lines[1] == os.fsencode(
            tmp_path / "p" / os.path.relpath(path, tmp_path / "p")
        )
        return
    assert everything(tmp_path) != before
    assert mgc("tag", "--undo").code == 0
    assert everything(tmp_path) == before


@pytest.mark.parametrize("place", ["copy", "tags", "journal"])
def test_a_full_disk(
    tmp_path: Path, run: str, mgc: Callable, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of three files meets a full disk, which then has room again."""
    files = [library.write(tmp_path / f"{n}.flac", library.sound("calm", n)) for n in range(3)]
    before = everything(tmp_path)
    write, record = tags.write, journal.Journal.record
    size = {"copy": 1_000, "tags": files[1].stat().st_size + 10}

    def full_in_tags(path: Path, genres: object) -> None:
        with file_size_limit(size["tags"] if ".1.mgc" in path.name else resource.RLIM_INFINITY):
            write(path, [*genres, "x" * 100_000] if ".1.mgc" in path.name else genres)

    def full_in_record(self: journal.Journal, **step: object) -> None:
        lines = self.folder / journal.LINES
        if "1.flac" in str(step.get("path")):
            with file_size_limit(lines.stat().st_size + 30):
                record(self, **step)
        elif place == "copy" and ".1.mgc" in str(step.get("copy")):
            record(self, **step)
            monkeypatch.setattr(Path, "write_bytes", limited)
        else:
            record(self, **step)

    write_bytes = Path.write_bytes

    def limited(path: Path, content: bytes) -> int:
        monkeypatch.setattr(Path, "write_bytes", write_bytes)
        with file_size_limit(size["copy"]):
            return write_bytes(path, content)

    if place == "tags":
        monkeypatch.setattr(tags, "write", full_in_tags)
    else:
        monkeypatch.setattr(journal.Journal, "record", full_in_record)
    said = mgc("tag", tmp_path, "--run", run, "--write", "--json")
    assert [row["failed"] for row in said.json] == [False, True, False], said.err
    now = everything(tmp_path)
    assert now.keys() == before.keys()
    assert [now[path] == before[path] for path in files] == [False, True, False]
    assert mgc("tag", "--undo").code == 0
    assert everything(tmp_path) == before


def test_a_file_that_changes_meanwhile_keeps_the_change(tmp_path: Path) -> None:
    path = library.write(tmp_path / "a.flac", library.sound("calm", 1))
    record = journal.Journal("tag")
    replacing = record.replacing(path, keep_times=False)
    tags.write(replacing.__enter__(), ["calm"])
    tags.write(path, ["mine"])
    with pytest.raises(OSError, match="changed by something else"):
        replacing.__exit__(None, None, None)
    record.close()
    assert tags.read(path).genres == ("mine",)
    assert list(tmp_path.iterdir()) == [path]
    (record.folder / journal.DONE).touch()


def test_undoing_may_be_killed_too(tmp_path: Path) -> None:
    files = library.make(tmp_path / "lib")[:6]
    for path in set((tmp_path / "lib").rglob("*.*")) - set(files):
        path.unlink()
    before = library.digests(files)
    show.killed(tmp_path / "lib", 0)
    changed = library.digests(files)
    events = int(show.killed(tmp_path / "lib", 10**9, undo=True)[-1])
    assert library.digests(files) == before
    for place in range(1, events, events // 3):
        show.killed(tmp_path / "lib", 0)
        assert library.digests(files) == changed
        show.killed(tmp_path / "lib", place, undo=True)
        show.undone(tmp_path / "lib", before)


def test_a_mounted_disk_that_is_full(tmp_path: Path, run: str, mgc: Callable) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        files = [library.write(disk / f"{n}.flac", library.sound("calm", n)) for n in range(3)]
        (disk / "rest").write_bytes(bytes(os.statvfs(disk).f_bavail * 4_096 - 50_000))
        before = everything(disk)
        said = mgc("tag", *files, "--run", run, "--write")
        assert said.code == 1
        assert said.err.count("No space left on device") == 3
        assert everything(disk) == before
        assert mgc("tag", "--undo").code == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)
