"""Several genres in one value are told from one genre whose name contains a separator."""

from __future__ import annotations

from pathlib import Path

import pytest

import mgc
from mgc.datasets.importers.manifest import import_manifest
from mgc.datasets.importers.naming import NameRules, named_genres
from mgc.errors import UsageError

#: What stands in the table → the genres in its last row.
SEVERAL = {
    "semicolon": (["Polka; Ska"], ["Polka", "Ska"]),
    "bar": (["Polka|Ska"], ["Polka", "Ska"]),
    "NUL": (["Polka\0Ska"], ["Polka", "Ska"]),
    "slash, one alone elsewhere": (["rock", "Rock/Ska"], ["Rock", "Ska"]),
    "comma, one alone elsewhere": (["Ska", "Rock, Ska"], ["Rock", "Ska"]),
    "comma, in another order": (["Ska, Rock", "Rock, Ska"], ["Rock", "Ska"]),
    "slash, one beside another": (["Ska/Soul", "Rock/Ska"], ["Rock", "Ska"]),
    "slash inside semicolon": (["Rock", "Jazz; Rock/Ska"], ["Jazz", "Rock", "Ska"]),
}
ONE = {
    "names with a slash": ["R&B/Soul", "Hip-Hop/Rap", "Rock"],
    "spelt in two ways": ["Hip-Hop/Rap", "hip hop / rap"],
    "commas": ["Folk, World, & Country", "Rock"],
    "a part of a word": ["Rocksteady/Dub", "Rock"],
    "nothing between": ["Rock;", "Jazz"],
    "the same twice": ["Rock; rock", "Jazz"],
    "only separators": [";", "Jazz"],
}


def values(texts: list[str]) -> list[list[str]]:
    return [[text] for text in texts]


@pytest.mark.parametrize("kind", SEVERAL)
def test_several_genres_stop_the_import_and_can_be_decided(kind: str) -> None:
    texts, genres = SEVERAL[kind]
    with pytest.raises(UsageError, match="have several genres: ") as caught:
        named_genres(values(texts), NameRules())
    assert ", ".join(map(repr, genres)) in caught.value.message
    for option in ("--several", "--genre-separator", "--genre-map", "first|skip|join"):
        assert option in caught.value.hint
    first = named_genres(values(texts), NameRules(several="first"))
    assert first.genres[-1] == genres[0]
    assert any("several genres" in remark for remark in first.remarks)
    skipped = named_genres(values(texts), NameRules(several="skip"))
    assert skipped.genres[-1] == ""
    assert skipped.left_out["several genres"] == skipped.genres.count("")
    joined = named_genres(values(texts), NameRules(several="join"))
    assert joined.genres == [text.replace("\0", "; ") for text in texts]
    assert not joined.left_out


@pytest.mark.parametrize("kind", ONE)
def test_a_name_that_contains_a_separator_is_one_genre(kind: str) -> None:
    texts = ONE[kind]
    found = named_genres(values(texts), NameRules())
    assert [genre for genre in found.genres if genre == ";" or genre.strip("; ")] == found.genres
    assert not found.left_out
    unsure = [text for text in texts if "/" in text or "," in text]
    assert all(
        genre == text for genre, text in zip(found.genres, texts, strict=True) if text in unsure
    )
    assert bool(unsure) == bool(found.remarks)
    assert all(repr(text) in found.remarks[0] for text in unsure)


def test_repeated_fields_are_several_whatever_they_contain() -> None:
    fields = [["R&B/Soul", "Funk"], ["Funk"], []]
    with pytest.raises(UsageError, match=r"1 track of 3 have several genres: 'R&B/Soul', 'Funk'"):
        named_genres(fields, NameRules())
    joined = named_genres(fields, NameRules(several="join"))
    assert joined.genres == ["R&B/Soul; Funk", "Funk", ""]
    assert joined.left_out == {"no genre": 1}


def test_a_separator_that_is_given_is_the_only_one() -> None:
    texts = values(["Folk, World - Rock/Pop", "Rock", "A; B"])
    rules = NameRules(several="first", separator=" - ")
    found = named_genres(texts, rules)
    assert found.genres == ["Folk, World", "Rock", "A; B"]
    with pytest.raises(UsageError, match="No genre contains '#'"):
        named_genres(texts, NameRules(separator="#"))
    with pytest.raises(UsageError, match="No genre contains ''"):
        named_genres(texts, NameRules(separator=""))


def test_a_map_renames_whole_values_and_parts_and_may_settle_them() -> None:
    texts = values(["R&B/Soul", "Soul", "hip hop", "HipHop; Rap", "Noise", "Jazz"])
    given = {"R&B/Soul": "Soul", "hip hop": "Hip-Hop", "HipHop": "Hip-Hop", "Rap": "", "Noise": ""}
    found = named_genres(texts, NameRules(genre_map=given))
    assert found.genres == ["Soul", "Soul", "Hip-Hop", "Hip-Hop", "", "Jazz"]
    assert found.left_out == {"genre that the map leaves out": 1}
    assert not found.remarks
    with pytest.raises(UsageError, match="'hiphop'") as caught:
        named_genres(texts, NameRules(genre_map={"hiphop": "Hip-Hop"}))
    assert "Did you mean 'HipHop'" in caught.value.hint


def test_a_table_follows_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('path,genre\na.wav,"Rock, Pop"\nb.wav,Rock\nc.wav,Pop\nd.wav,\n')
    with pytest.raises(UsageError, match=r"1 track of 4 have several genres: 'Rock', 'Pop' \(1\)"):
        import_manifest(path)
    skipped = import_manifest(path, NameRules(several="skip"))
    assert list(skipped["genre"]) == ["Rock", "Pop"]
    assert skipped.attrs["left_out"] == {"no genre": 1, "several genres": 1}
    joined = import_manifest(path, NameRules(several="join"))
    assert list(joined["genre"]) == ["Rock, Pop", "Rock", "Pop"]


def test_what_has_no_effect_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,genre\na.wav,x\n")
    (tmp_path / "rock").mkdir()
    for path, options, said in (
        (tmp_path / "t.csv", {"genre_from": "tag"}, "--genre-from: no effect on a table"),
        (tmp_path / "t.csv", {"artist_from": "folder"}, "--artist-from: no effect on a table"),
        (tmp_path, {"several": "first"}, "--several: no effect if folders are genres"),
        (tmp_path, {"genre_separator": "/"}, "--genre-separator: no effect if folders"),
        (
            tmp_path,
            {"genre_from": "tag", "several": "join", "genre_separator": "/"},
            "--genre-separator: no effect with --several join",
        ),
        (None, {"several": "join"}, "The demo has genres of its own"),
    ):
        with pytest.raises(UsageError, match=said):
            mgc.datasets.add("mine", path, **options)
