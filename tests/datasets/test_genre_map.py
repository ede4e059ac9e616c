"""Genres of two collections are matched by name, or as a file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgc.datasets.genre_map import matched, read_genre_map
from mgc.errors import MgcError, UsageError


def test_names_match_whatever_their_case_and_punctuation() -> None:
    ours = ["drum and bass", "hiphop", "Rock"]
    assert matched(["Drum & Bass", "Hip-Hop", "ROCK", "polka"], ours) == {
        "Drum & Bass": "drum and bass",
        "Hip-Hop": "hiphop",
        "ROCK": "Rock",
    }
    assert matched(["Rock", "rock"], ["rock", "Rock"]) == {"Rock": "Rock", "rock": "rock"}
    assert matched(["ROCK", "jazz"], ["rock", "Rock", "jazz"]) == {"jazz": "jazz"}  # which one?


def test_a_map_decides_over_names() -> None:
    given = {"poprock": "rock", "latin": "", "soul": "rock"}
    found = matched(["poprock", "latin", "soul", "jazz"], ["jazz", "latin", "rock"], given)
    assert found == {"poprock": "rock", "soul": "rock", "jazz": "jazz"}


def test_what_a_map_names_must_exist() -> None:
    with pytest.raises(UsageError, match="'poprok'") as one:
        matched(["poprock"], ["rock"], {"poprok": "rock"})
    assert "Did you mean 'poprock'" in one.value.hint
    with pytest.raises(UsageError, match="No genre of the run is named 'rok'"):
        matched(["poprock"], ["rock"], {"poprock": "rok"})


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(MgcError, match=r"No genre is in both: polka there, rock here\."):
        matched(["polka"], ["rock"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"genres = 3", "no table"),
        (b"[other]\na = 'b'", "no table"),
        (b"[genres]\na = 3", "'a' is not given one genre's name"),
        (b"[genres]\na = ['b', 'c']", "'a' is not given one genre's name"),
        (b"[genres", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"#" * (1 << 20) + b"\n", "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_map_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "map.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_genre_map(path)


def test_a_map_is_read(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('[genres]\n"Hip-Hop/Rap" = "hiphop"\n', encoding="utf-8")
    assert read_genre_map(path) == {"Hip-Hop/Rap": "hiphop"}
    with pytest.raises(UsageError, match="No such file"):
        read_genre_map(tmp_path / "gone.toml")
