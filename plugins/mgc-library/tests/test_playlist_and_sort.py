"""Playlists and sorted folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mgc_library import tags
from mgc_library.sort import _short

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


@pytest.mark.parametrize("pattern", ["../{genre}", "/{genre}", "{nope}", "{genre", "all"])
def test_other_patterns_are_refused(tmp_path: Path, run: str, mgc: Callable, pattern: str) -> None:
    said = mgc("sort", tmp_path, "--run", run, "--into", tmp_path / "s", "--pattern", pattern)
    assert (said.code, "--pattern" in said.err) == (2, True)
