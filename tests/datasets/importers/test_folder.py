import os
from pathlib import Path

import pytest

from mgc.audio.audio_files import audio_files
from mgc.datasets.importers.folder import import_folder
from mgc.errors import UsageError
from tests.datasets.conftest import music, write


@pytest.mark.parametrize(
    ("names", "remark"),
    [
        (["abba/pop/1", "abba/rock/2", "bob/rock/3", "bob/pop/4", "cat/pop/5"], "(pop, rock, …)"),
        (["pop/abba/1", "pop/bob/2", "rock/various/3", "pop/various/4", "rock/cat/5"], ""),
        (["blues/blues.00000", "blues/blues.00001", "rock/rock.00000"], "named as in GTZAN"),
        (["blues/blues", "rock/rock.00000", "rock/3"], ""),
    ],
)
def test_folders_that_are_something_else_are_named(
    tmp_path: Path, names: list[str], remark: str
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.wav").touch()
    remarks = import_folder(tmp_path).attrs["remarks"]
    assert len(remarks) == bool(remark)
    assert remark in " ".join(remarks)


def test_levels_give_genre_artist_and_album(tmp_path: Path) -> None:
    for name in (
        "rock/a.wav",
        "rock/ann/b.wav",
        "jazz/bob/first/c.flac",
        "jazz/bob/first/cd1/d.wav",
    ):
        write(tmp_path / name, music(1, 0.1))
    tracks = import_folder(tmp_path).set_index("track_id")
    assert list(tracks.index) == sorted(tracks.index)
    assert tracks.loc["rock/a.wav", ["genre", "artist", "album", "title"]].tolist() == [
        "rock",
        "",
        "",
        "a",
    ]
    assert tracks.loc["rock/ann/b.wav", "artist"] == "ann"
    assert tracks.loc["rock/ann/b.wav", "album"] == ""
    assert tracks.loc["jazz/bob/first/c.flac", "album"] == "bob/first"
    assert tracks.loc["jazz/bob/first/cd1/d.wav", "album"] == "bob/first"


def test_one_artist_in_two_genres_is_one_artist(tmp_path: Path) -> None:
    for name in ("rock/ann/a.wav", "pop/ann/b.wav"):
        write(tmp_path / name, music(1, 0.1))
    assert set(import_folder(tmp_path)["artist"]) == {"ann"}


def test_hidden_loose_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "rock/a.wav", music(1, 0.1))
    write(tmp_path / "loose.wav", music(1, 0.1))
    write(tmp_path / ".trash/a.wav", music(1, 0.1))
    write(tmp_path / "rock/._a.wav", music(1, 0.1))
    (tmp_path / "rock/cover.jpg").write_bytes(b"x")
    assert list(import_folder(tmp_path)["path"]) == ["rock/a.wav"]


def test_links_that_go_round_end(tmp_path: Path) -> None:
    write(tmp_path / "rock/a.wav", music(1, 0.1))
    os.symlink(tmp_path, tmp_path / "rock/again", target_is_directory=True)
    assert audio_files(tmp_path) == [tmp_path / "rock/a.wav"]


def test_linked_genre_folders_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/a.wav", music(1, 0.1))
    (tmp_path / "music").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "music/rock", target_is_directory=True)
    assert list(import_folder(tmp_path / "music")["path"]) == ["rock/a.wav"]


def test_nothing_to_import_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is empty"):
        import_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="no genre folders with audio"):
        import_folder(tmp_path)
    write(tmp_path / "a.wav", music(1, 0.1))
    with pytest.raises(UsageError, match="no genre folders") as caught:
        import_folder(tmp_path)
    assert "PATH/rock/song.mp3" in caught.value.hint


def test_a_single_folder_around_the_genres_is_pointed_out(tmp_path: Path) -> None:
    for name in ("genres/rock/a.wav", "genres/jazz/b.wav"):
        write(tmp_path / name, music(1, 0.1))
    with pytest.raises(UsageError, match="holds a single folder, genres") as caught:
        import_folder(tmp_path)
    assert str(tmp_path / "genres") in caught.value.hint


def test_files_that_cannot_be_in_the_table_are_counted(tmp_path: Path) -> None:
    for name in (b"jazz/a.wav", b"rock/b.wav", b"rock/bad-\xff.wav", b"stray.wav"):
        path = os.path.join(os.fsencode(tmp_path), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"x")
    tracks = import_folder(tmp_path)
    assert sorted(tracks["path"]) == ["jazz/a.wav", "rock/b.wav"]
    assert tracks.attrs["left_out"] == {"in no genre folder": 1, "name is not UTF-8": 1}
