"""Every byte comes back, wherever the work is killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from mgc_library import journal, tags

from . import library, show

KILLED = """
import os, sys
from pathlib import Path
from mgc_library import journal, tags
left = int(sys.argv[1])
def counted(function):
    def call(*given, **named):
        global left
        left -= 1
        if not left:
            os._exit(9)
        return function(*given, **named)
    return call
os.fsync = counted(os.fsync)
os.utime = counted(os.utime)
Path.replace = counted(Path.replace)
Path.write_bytes = counted(Path.write_bytes)
record = journal.Journal("tag")
for name in sys.argv[2:]:
    with record.replacing(Path(name), keep_times=False) as copy:
        tags.write(copy, ["calm"])
"""


def test_killed_at_any_moment_every_byte_comes_back(tmp_path: Path, mgc: Callable) -> None:
    files = [
        library.write(tmp_path / f"{n}-{kind}", library.sound("calm", n))
        for n, kind in enumerate(("bare.mp3", "a.ogg", "a.flac", "v24.mp3", "a.m4a"))
    ]
    before = library.digests(files)
    moments = changed = 0
    while True:
        moments += 1
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(moments), *map(str, files)], check=False
        )
        changed += library.digests(files) != before
        mgc("tag", "--undo")
        assert library.digests(files) == before
        assert len(list(tmp_path.iterdir())) == 5
        if done.returncode == 0:
            break
        assert done.returncode == 9
    assert moments >= 20
    assert 1 < changed < moments


def test_killed_while_a_library_is_tagged(tmp_path: Path) -> None:
    before = library.digests(library.make(tmp_path / "lib"))
    changed = show.kill_often(tmp_path / "lib", before, inside=4)
    assert 0 < sum(changed) < 4 * len(before)


def test_killed_before_the_first_entry(tmp_path: Path, run: str, mgc: Callable) -> None:
    path = library.write(tmp_path / "a.flac", library.sound("calm", 1))
    before = library.digests([path])
    mgc("tag", path, "--run", run, "--write")
    journal.Journal("tag").folder.mkdir()
    assert mgc("tag", "--undo").code == 0
    assert library.digests([path]) == before


def test_what_was_changed_since_is_left(tmp_path: Path, run: str, mgc: Callable) -> None:
    path = library.write(tmp_path / "a.flac", library.sound("calm", 1))
    mgc("tag", path, "--run", run, "--write")
    tags.write(path, ["my own"])
    said = mgc("tag", "--undo")
    assert (said.code, "was changed since" in said.err) == (1, True)
    assert tags.read(path).genres == ("my own",)
    (journal.last() / journal.DONE).touch()


def test_undoing_takes_nothing_else(tmp_path: Path, mgc: Callable) -> None:
    said = mgc("tag", tmp_path, "--undo")
    assert (said.code, "--undo takes back all" in said.err) == (2, True)
