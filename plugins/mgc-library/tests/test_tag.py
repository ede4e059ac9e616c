"""Genres in tags, and every byte back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from mgc_library import journal, tags
from mgc_library.decision import Rules, decide
from mutagen import id3
from mutagen.apev2 import APEv2

from mgc import Prediction
from mgc.audio.sound_hash import sound_hash
from mgc.datasets.importers.tags import read_tags

from . import library, read_back


def test_tagged_read_back_and_undone(tmp_path: Path, run: str, mgc: Callable) -> None:
    files = library.make(tmp_path / "lib")
    before, sounds = library.digests(files), {path: sound_hash(path) for path in files}
    said = mgc("tag", tmp_path / "lib", "--run", run)
    assert said.code == 0
    assert f"Would tag {len(files)} files" in said.err
    assert library.digests(files) == before
    said = mgc("tag", tmp_path / "lib", "--run", run, "--write", "--json")
    assert (said.code, [row["left"] for row in said.json]) == (0, [""] * len(files))
    for path in files:
        assert tags.read(path).genres == (path.parent.name,)
        for reader, read_genre in read_back.readers().items():
            assert read_genre(path) == path.parent.name, (reader, path)
        assert sound_hash(path) == sounds[path]
        assert not list(path.parent.glob(".*"))
    again = mgc("tag", tmp_path / "lib", "--run", run, "--write")
    assert "Tagged 0 files" in again.err
    assert mgc("tag", "--undo").code == 0
    assert library.digests(files) == before
    said = mgc("tag", "--undo")
    assert (said.code, "nothing to undo" in said.err) == (1, True)


def test_another_genre_stays_unless_it_is_to_be_replaced(
    tmp_path: Path, run: str, mgc: Callable
) -> None:
    path = library.write(tmp_path / "a.flac", library.sound("calm", 1))
    tags.write(path, ["Ambient", "Drone"])
    said = mgc("tag", path, "--run", run, "--write")
    assert "has a genre: Ambient, Drone" in said.err
    assert tags.read(path).genres == ("Ambient", "Drone")
    mgc("tag", path, "--run", run, "--write", "--own-field")
    assert tags.read(path) == tags.Tags(("Ambient", "Drone"), own_genres=("calm",))
    mgc("tag", path, "--run", run, "--write", "--replace")
    assert tags.read(path).genres == ("calm",)
    mgc("tag", "--undo")
    mgc("tag", "--undo")
    assert tags.read(path) == tags.Tags(("Ambient", "Drone"))


def test_a_genre_in_an_ape_tag_alone_stays(tmp_path: Path, run: str, mgc: Callable) -> None:
    path = library.write(tmp_path / "0-ape.mp3", library.sound("calm", 1))
    ape = APEv2(path)
    ape["Genre"] = ["Ambient", "Drone"]
    ape.save(path)
    assert "has a genre: Ambient, Drone" in mgc("tag", path, "--run", run, "--write").err
    mgc("tag", path, "--run", run, "--write", "--replace")
    assert tags.read(path).genres == (APEv2(path)["Genre"][0],) == ("calm",)


@pytest.mark.parametrize("kind", library.KINDS)
def test_several_genres_are_repeated_values(tmp_path: Path, kind: str) -> None:
    path = library.write(tmp_path / f"0-{kind}", library.sound("calm", 1))
    genres = ("Jazz", "R&B/Soul", "Música")
    tags.write_own(path, genres[1:], 0.5)
    tags.write(path, genres)
    assert tags.read(path).genres == genres
    assert tags.read(path).own_genres == genres[1:]
    assert [name for text in read_tags(path).genres for name in text.split("\0")] == list(genres)
    if path.suffix == ".mp3":
        assert id3.ID3(path)["TCON"].text == list(genres)


def test_all_genres_of_the_set_are_written(tmp_path: Path, run: str, mgc: Callable) -> None:
    mixed = (library.sound("calm", 1) + library.sound("harsh", 1)) / 2
    path = library.write(tmp_path / "a.flac", mixed)
    [row] = mgc("tag", path, "--run", run, "--coverage", 0.5, "--json").json
    assert row["genres"] == [row["genre"]]
    said = mgc("tag", path, "--run", run, "--coverage", 0.999, "--write", "--at-least", 0, "--json")
    [row] = said.json
    assert sorted(row["genres"]) == ["calm", "harsh"]
    assert row["genres"][0] == row["genre"]
    assert tags.read(path).genres == tuple(row["genres"])
    again = mgc("tag", path, "--run", run, "--coverage", 0.999, "--at-least", 0)
    assert "As it would be already: 1 file" in again.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--coverage", "1.5"), "1.5"),
        (("--at-least", "nan"), "--at-least"),
        (("--coverage", "0.9", "--agree", "album"), "--agree"),
    ],
)
def test_sets_that_cannot_be(
    tmp_path: Path, run: str, mgc: Callable, options: tuple[str, ...], said: str
) -> None:
    result = mgc("tag", tmp_path, "--run", run, *options)
    assert (result.code, said in result.err) == (2, True)


def test_cue_sheets_are_counted(tmp_path: Path, run: str, mgc: Callable) -> None:
    library.write(tmp_path / "a.flac", library.sound("calm", 1))
    (tmp_path / "a.cue").write_text('FILE "a.flac" WAVE\n  TRACK 01 AUDIO\n')
    said = mgc("tag", tmp_path, "--run", run, "--write")
    assert "Tagged 1 file of 1" in said.err
    assert "Not taken for audio: .cue (1)" in said.err
    said = mgc("tag", tmp_path / "a.cue", "--run", run)
    assert (said.code, "1 file could not be used" in said.err) == (1, True)


def test_unsure_answers_are_not_written(tmp_path: Path, run: str, mgc: Callable) -> None:
    path = library.write(tmp_path / "a.flac", library.sound("calm", 1))
    said = mgc("tag", path, "--run", run, "--write", "--at-least", "1")
    assert "less than 100%" in said.err
    assert tags.read(path).genres == ()


def test_unknown_is_not_written(tmp_path: Path) -> None:
    path = library.write(tmp_path / "a.flac", library.sound("calm", 1))
    for known, left in ((False, "unknown"), (True, ""), (None, "")):
        found = decide(Prediction(path, {"calm": 0.9, "harsh": 0.1}, known=known), Rules(0.5))
        assert found.left.partition(":")[0] == left


def test_an_album_gets_one_answer(tmp_path: Path, run: str, mgc: Callable) -> None:
    files = [
        library.write(tmp_path / f"{n}.flac", library.sound(genre, 50 + n))
        for n, genre in enumerate(("calm", "calm", "harsh"))
    ]
    for path in files:
        library.set_album(path, "one")
    said = mgc("tag", tmp_path, "--run", run, "--agree", "album", "--json")
    assert [row["genre"] for row in said.json] == ["calm"] * 3
    assert len({row["probability"] for row in said.json}) == 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: p.chmod(0o444), "read-only"),
        (lambda p: os.link(p, p.with_name("other.bin")), "hard links"),
        (lambda p: p.write_bytes(b"no sound at all"), "could not be used"),
    ],
)
def test_what_cannot_be_tagged_is_listed(
    tmp_path: Path, run: str, mgc: Callable, spoil: Callable[[Path], None], said: str
) -> None:
    bad, good = (library.write(tmp_path / f"{n}.flac", library.sound("calm", 1)) for n in "ab")
    spoil(bad)
    content = bad.read_bytes()
    result = mgc("tag", tmp_path, "--run", run, "--write")
    assert result.code == 0
    assert said in result.err
    assert bad.read_bytes() == content
    assert tags.read(good).genres == ("calm",)


def test_a_full_disk_leaves_files_whole(
    tmp_path: Path, run: str, mgc: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = library.write(tmp_path / "a.flac", library.sound("calm", 1))
    before = library.digests([path])

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "sync", full)
    said = mgc("tag", path, "--run", run, "--write")
    assert "No space left on device" in said.err
    assert library.digests([path]) == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.flac"]


def test_features_of_a_tagged_file_are_found(
    tmp_path: Path, run: str, mgc: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mgc as api
    from mgc.audio import decoding

    decoded = list[object]()
    excerpts = decoding.excerpts
    monkeypatch.setattr(decoding, "excerpts", lambda *a: decoded.append(a[0]) or excerpts(*a))
    files = library.make(tmp_path / "lib", 2)
    api.datasets.add("again", tmp_path / "lib")
    extracting = ("features", "extract", "mfcc", "--data", "again", "--workers", 1)
    assert mgc(*extracting).code == 0
    assert len(decoded) == len({sound_hash(path) for path in files})
    tagging = ("tag", tmp_path / "lib", "--run", run, "--write", "--at-least", 0)
    for changing in (tagging, ("tag", "--undo")):
        assert mgc(*changing).code == 0
        decoded.clear()
        assert mgc(*extracting).code == 0
        assert decoded == []
