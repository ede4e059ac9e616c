"""Genre, artist, album and title come from the tags of real files of every kind."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import mutagen
import pytest
from mutagen import apev2, id3

from mgc import datasets
from mgc.datasets.importers.folder import import_folder
from mgc.datasets.importers.naming import NameRules
from mgc.datasets.importers.tags import FileTags, read_tags
from mgc.errors import UsageError
from tests.audio.encoding import encoded

BY_TAG = NameRules(genre_from="tag")
#: kind → the file without tags, and the version of ID3 where there are several.
KINDS = {
    "v1.mp3": ("cbr.mp3", 1), "v23.mp3": ("cbr.mp3", 3), "v24.mp3": ("cbr.mp3", 4),
    "a.wav": ("a.wav", 4), "v23.wav": ("a.wav", 3), "a.aiff": ("a.aiff", 4),
    "a.flac": ("a.flac", 0), "a.ogg": ("a.ogg", 0), "a.opus": ("a.opus", 0), "a.m4a": ("a.m4a", 0),
}  # fmt: skip
FRAMES = {"artist": "TPE1", "albumartist": "TPE2", "album": "TALB", "title": "TIT2"}
ATOMS = {"artist": "\xa9ART", "albumartist": "aART", "album": "\xa9alb", "title": "\xa9nam"}


def tagged(path: Path, kind: str, *genres: str, **names: str) -> Path:
    """Write a second of music with these tags."""
    name, version = KINDS[kind]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(name, seconds=1.0))
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, id3.ID3):
        file.tags.add(id3.TCON(encoding=1 if version == 3 else 3, text=list(genres)))
        for field, text in names.items():
            file.tags.add(getattr(id3, FRAMES[field])(encoding=1, text=text))
        if version == 1:
            file.save(v1=2)
            id3.delete(path, delete_v1=False)
        else:  # between values NUL, in version 2.3 too: no other sign is certain
            file.save(v2_version=version, v23_sep=None)
    else:
        m4a = kind == "a.m4a"
        file["\xa9gen" if m4a else "genre"] = list(genres)
        for field, text in names.items():
            file[ATOMS[field] if m4a else field] = text
        file.save()
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_tags_of_every_kind_of_file_are_read(tmp_path: Path, kind: str) -> None:
    names = {"artist": "Ann", "album": "First", "title": "A song"}
    path = tagged(tmp_path / kind, kind, "Jazz", **names)
    assert read_tags(path) == FileTags(("Jazz",), "Ann", "Ann/First", "A song")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "v1.mp3"])
def test_repeated_fields_are_several_genres(tmp_path: Path, kind: str) -> None:
    names = {"artist": "Ann", "albumartist": "Various", "album": "Hits"}
    path = tagged(tmp_path / kind, kind, "Jazz", "Música", "R&B/Soul", **names)
    assert read_tags(path) == FileTags(("Jazz", "Música", "R&B/Soul"), "Ann", "Various/Hits")
    with pytest.raises(UsageError, match="'Jazz', 'Música', 'R&B/Soul'"):
        import_folder(tmp_path, BY_TAG)


@pytest.mark.parametrize("name", ["a.mp3", "both.mp3", "a.wv"])
def test_ape_tags_are_read_where_there_are_no_others(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"wvpk sound" if name == "a.wv" else encoded("cbr.mp3", seconds=1.0))
    ape = apev2.APEv2()
    ape["Genre"], ape["Artist"], ape["Cover"] = ["Jazz", "Música"], "Ann", b"\0\1"
    ape["Album Artist"], ape["Album"], ape["TITLE"] = "Various", "Hits", "A song"
    ape.save(path)
    if name == "both.mp3":
        frames = id3.ID3()
        frames.add(id3.TCON(encoding=3, text="Rock"))
        frames.save(path, v1=2)
    found = read_tags(path)
    genres = ("Rock",) if name == "both.mp3" else ("Jazz\0Música",)
    assert found == FileTags(genres, "Ann", "Various/Hits", "A song")


def test_damaged_ape_tags_end_where_they_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.wv"
    for seed in range(200):
        rng = random.Random(seed)
        whole = bytearray(b"sound" + rng.randbytes(100) + b"APETAGEX" + rng.randbytes(24))
        whole[-20:-16] = rng.randint(0, 200).to_bytes(4, "little")
        path.write_bytes(whole)
        assert isinstance(read_tags(path), FileTags)


def test_numbers_of_old_tags_are_names(tmp_path: Path) -> None:
    assert read_tags(tagged(tmp_path / "a.mp3", "v23.mp3", "(8)")).genres == ("Jazz",)
    assert read_tags(tagged(tmp_path / "b.mp3", "v23.mp3", "17")).genres == ("Rock",)


def test_no_tags_are_no_genre(tmp_path: Path) -> None:
    for name in ("cbr.mp3", "a.wav", "a.flac", "a.ogg", "a.m4a"):
        (tmp_path / name).write_bytes(encoded(name, seconds=1.0))
        assert not any(read_tags(tmp_path / name).genres)
    with pytest.raises(UsageError, match=r"holds no audio with a genre: no genre \(5\)") as caught:
        import_folder(tmp_path, BY_TAG)
    assert "--genre-from folder" in caught.value.hint


def library(root: Path) -> Path:
    """2 genres × 4 artists, in folders of another genre, and files that cannot be used."""
    for number in range(8):
        genre, artist = ("Jazz", "Rock")[number % 2], f"tagged {number // 2}"
        kind = ("v24.mp3", "a.flac")[number % 2]
        path = root / "music" / f"folder {number}" / f"{number}{Path(kind).suffix}"
        tagged(path, kind, genre, artist=artist, title=f"song {number}")
    (root / "music/none.wav").write_bytes(encoded("a.wav", seconds=1.0))
    (root / "music/broken.flac").write_bytes(b"not a flac")
    (root / "music/strange.caf").write_bytes(encoded("a.caf", seconds=1.0))
    os.mkfifo(root / "music/pipe.mp3")
    with open(os.path.join(os.fsencode(root), b"music/bad-\xff.flac"), "wb") as file:
        file.write(b"not a flac")
    (root / "music/gone.mp3").symlink_to(root / "nowhere")
    return root


def test_files_that_cannot_be_used_are_counted_and_listed(tmp_path: Path) -> None:
    found = import_folder(library(tmp_path), BY_TAG)
    assert sorted(found["genre"]) == ["Jazz"] * 4 + ["Rock"] * 4
    assert set(found["artist"]) == {f"tagged {n}" for n in range(4)}
    assert set(found["title"]) == {f"song {n}" for n in range(8)}
    assert found.attrs["left_out"] == {
        "name is not UTF-8": 1,
        "tags cannot be read": 4,
        "no genre": 1,
    }
    for name in ("broken.flac", "strange.caf", "pipe.mp3", "gone.mp3"):
        lines = [line for line in found.attrs["unreadable"] if name in line]
        assert len(lines) == 1
        assert "its tags cannot be read" in lines[0]


def test_folders_and_tags_can_be_combined(tmp_path: Path) -> None:
    library(tmp_path)
    mixed = import_folder(tmp_path, NameRules(genre_from="tag", artist_from="folder"))
    assert set(mixed["artist"]) == {"music"}
    assert mixed["album"][0] == "music/folder 0"
    assert set(mixed["genre"]) == {"Jazz", "Rock"}
    other = import_folder(tmp_path, NameRules(artist_from="tag"))
    assert set(other["genre"]) == {"music"}
    assert len(other) == 13  # a file keeps its folder's genre if its tags cannot be read
    assert set(other["artist"]) == {"", *(f"tagged {n}" for n in range(4))}
    assert len(other.attrs["unreadable"]) == 4


def test_the_command_and_the_function_make_the_same(tmp_path: Path, mgc: Callable) -> None:
    music = library(tmp_path / "music")
    tagged(music / "x.mp3", "v24.mp3", "jazz", "Rock", artist="tagged 0")
    call = ["data", "add", "mine", music, "--genre-from", "tag"]
    assert "1 track of 10 have several genres: 'jazz', 'Rock' (1)" in mgc(*call).err
    call += ["--several", "first"]
    assert "'Jazz' (4 tracks), 'jazz' (1 track)" in mgc(*call).err
    (tmp_path / "map.toml").write_text('[genres]\njazz = "Jazz"\n')
    told = mgc(*call, "--genre-map", tmp_path / "map.toml")
    assert "Left out: tags cannot be read (4 tracks)." in told.out
    assert "broken.flac" in told.out + told.err
    given = {"genre_from": "tag", "several": "first"}
    same = datasets.add("same", music, genre_map=tmp_path / "map.toml", **given)
    assert same.tracks.equals(datasets.load("mine").tracks)
    assert same.record["names"] == {**given, "genre_map": {"jazz": "Jazz"}}
    assert datasets.load("mine").record["names"] == same.record["names"]


def test_options_that_have_no_effect_are_refused(mgc: Callable) -> None:
    told = mgc("data", "add", "demo", "--genre-from", "tag", "--several", "skip")
    assert "--genre-from and --several have no effect on demo" in told.err


def test_a_map_joins_genre_folders(tmp_path: Path, mgc: Callable) -> None:
    for number, folder in enumerate(["Hip-Hop", "hip hop", "Rock; Pop", "noise"] * 3):
        tagged(tmp_path / folder / f"{number}.flac", "a.flac", "a; b")
    (tmp_path / "map.toml").write_text('[genres]\n"hip hop" = "Hip-Hop"\nnoise = ""\n')
    told = mgc("data", "add", "mine", tmp_path, "--genre-map", tmp_path / "map.toml")
    assert datasets.load("mine").tracks["genre"].value_counts().to_dict() == {
        "Hip-Hop": 6,
        "Rock; Pop": 3,  # a folder's name is one genre
    }
    assert "Left out: genre that the map leaves out (3 tracks)" in told.out
