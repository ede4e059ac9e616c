"""Playlists and sorted folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mgc_library import journal, tags
from mgc_library.sort import Move, _place, _short

from . import library


def _songs(folder: Path) -> list[Path]:
    return [
        library.write(folder / f"{genre} #{n}.wav", library.sound(genre, 60 + n))
        for genre in ("calm", "harsh")
        for n in range(3)
    ]


def test_a_playlist_per_genre(tmp_path: Path, run: str, mgc: Callable) -> None:
    songs = _songs(tmp_path / "lib")
    said = mgc("playlist", tmp_path / "lib", "--run", run, "--into", tmp_path / "lists")
    assert said.code == 0
    lines = (tmp_path / "lists" / "calm.m3u8").read_text().splitlines()
    assert lines[0] == "#EXTM3U"
    assert [(tmp_path / "lists" / line).resolve() for line in lines[1:]] == songs[:3]


def test_a_playlist_of_what_is_like_a_song(tmp_path: Path, run: str, mgc: Callable) -> None:
    songs = _songs(tmp_path)
    said = mgc(
        "playlist", tmp_path, "--run", run, "--by", "similar", "--to", songs[4],
        "--into", tmp_path, "--count", 3,
    )  # fmt: skip
    assert said.code == 0
    [made] = tmp_path.glob("*.m3u8")
    assert sorted(made.read_text().splitlines()[1:]) == [s.name for s in songs[3:]]
    assert made.read_text().splitlines()[1] == songs[4].name


@pytest.mark.parametrize("how", ["copy", "link", "move"])
def test_sorted_and_undone(tmp_path: Path, run: str, mgc: Callable, how: str) -> None:
    songs = _songs(tmp_path / "lib")
    before = library.digests(songs)
    target = tmp_path / "sorted"
    words = ("sort", tmp_path / "lib", "--run", run, "--into", target, "--how", how)
    assert "would be" in mgc(*words).err
    assert not target.exists()
    assert mgc(*words, "--write").code == 0
    assert len(list((target / "calm" / "unknown artist").iterdir())) == 3
    assert all(song.exists() for song in songs) == (how != "move")
    again = mgc(*words, "--write", "--json")
    if how != "move":  # nothing is overwritten
        assert all("another file is there" in row["problem"] for row in again.json)
    assert mgc("tag", "--undo").code == 0
    assert library.digests(songs) == before
    assert not list(target.rglob("*.wav"))
    assert not (target / "calm").exists()


def test_playlists_that_are_there_stay_unless_they_are_to_be_replaced(
    tmp_path: Path, run: str, mgc: Callable
) -> None:
    _songs(tmp_path / "lib")
    mine = tmp_path / "calm.m3u8"
    mine.write_text("mine")
    words = ("playlist", tmp_path / "lib", "--run", run, "--into", tmp_path)
    said = mgc(*words)
    assert (said.code, f"{mine} is there already" in said.err) == (2, True)
    assert (mine.read_text(), (tmp_path / "harsh.m3u8").exists()) == ("mine", False)
    assert mgc(*words, "--replace").code == 0
    assert mine.read_text() != "mine"


def test_what_cannot_be_is_said_before_anything_is_heard(
    tmp_path: Path, run: str, mgc: Callable
) -> None:
    [song, *_] = _songs(tmp_path)
    for words in (
        ("playlist", tmp_path, "--run", run, "--into", song),
        ("playlist", tmp_path, "--run", run, "--by", "similar", "--to", tmp_path / "gone.mp3"),
        ("sort", tmp_path, "--run", run, "--into", song),
    ):
        said = mgc(*words)
        assert (said.code, "is not a f" in said.err) == (2, True)
        assert "predicting" not in said.err


@pytest.mark.parametrize("how", ["copy", "link", "move"])
@pytest.mark.parametrize("linking", [True, False])
def test_sorting_that_stops_anywhere_is_undone(
    tmp_path: Path, how: str, linking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops as at a kill: at each call that changes the disk, and nothing is done after it."""

    class Killed(BaseException):
        pass

    source, target, left = tmp_path / "a.flac", tmp_path / "s" / "calm" / "b.flac", 0

    def counted(function: Callable) -> Callable:
        def call(*given: object, **named: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return function(*given, **named)

        return call

    def no_link(*_: object) -> None:
        raise OSError(1, "not on this disk")

    calls = {
        os: ("fsync", "mkdir", "link"),
        shutil: ("copy2",),
        Path: ("touch", "replace", "unlink"),
    }
    for owner, names in calls.items():
        for name in names:
            function = no_link if name == "link" and not linking else getattr(owner, name)
            monkeypatch.setattr(owner, name, counted(function))
    ended, moments = False, 0
    while not ended:
        left = 1_000
        source.write_bytes(b"sound")
        left, record = moments, journal.Journal("sort")
        try:
            moves = [_place(Move(source, target), how, tmp_path / "s", record)]
            ended = left >= 0
        except Killed:
            pass
        left, moments = 1_000, moments + 1
        record.close()
        assert source.exists() or target.exists()
        if (record.folder / journal.LINES).exists():
            assert not journal.undo(record.folder).failures
        assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["a.flac"]
        assert source.read_bytes() == b"sound"
    assert bool(moves[0].target) == (linking or how != "link")
    assert moments > 3


def test_names_are_safe_and_numbered(tmp_path: Path, run: str, mgc: Callable) -> None:
    for number in range(2):
        path = library.write(tmp_path / "lib" / f"{number}.flac", library.sound("calm", number))
        tags._opened(path)
        file = tags._opened(path)
        file.artist, file.title = "AC/DC?", "../up: CON."
        file.save()
    said = mgc("sort", tmp_path / "lib", "--run", run, "--into", tmp_path / "s", "--json")
    places = [Path(row["target"]).relative_to(tmp_path / "s").parts for row in said.json]
    assert [place[:2] for place in places] == [("calm", "AC_DC_")] * 2
    assert places[0][2] != places[1][2]
    assert len(_short("ü" * 500).encode()) <= 200


@pytest.mark.parametrize(
    "pattern", ["../{genre}", "/{genre}", "{genre}/", "{nope}", "{genre", "all"]
)
def test_other_patterns_are_refused(tmp_path: Path, run: str, mgc: Callable, pattern: str) -> None:
    said = mgc("sort", tmp_path, "--run", run, "--into", tmp_path / "s", "--pattern", pattern)
    assert (said.code, "--pattern" in said.err) == (2, True)
