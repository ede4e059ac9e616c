"""Oddities of genres, files and divisions that a person should hear of."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
import pytest

from mgc.datasets import remarks
from mgc.datasets.splits import Fold
from mgc.datasets.table import table
from tests.datasets.conftest import rows

ALIKE = [
    ("Rock", "rock"), ("Hip-Hop", "hip hop"), ("Hip-Hop", "HipHop"), ("R&B", "R & B"),
    ("Drum & Bass", "Drum n Bass"), ("Rock & Roll", "Rock and Roll"), ("Música", "Musica"),
    ("K-Pop", "KPOP"), ("80s", "80's"), ("Post_Punk", "post punk"), ("Straße", "STRASSE"),
    ("Rock", "Rock\N{NO-BREAK SPACE}"), ("Rock", "\N{FULLWIDTH LATIN CAPITAL LETTER R}ock"),
]  # fmt: skip
DIFFERENT = [
    ("Rock", "Rocksteady"), ("Pop", "Hip-Hop"), ("House", "Deep House"), ("ポップ", "ロック"),
    ("Metal", "Nu Metal"), ("C", "C minor"), ("Punk", "Post-Punk"), ("Soul", "Soul Jazz"),
    ("?", "!"),
]  # fmt: skip


def genres(*names: str) -> pd.DataFrame:
    tracks = rows(1, 1, len(names) * 2)
    return tracks.assign(genre=list(names) * 2, artist="")


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_genres_that_look_alike_are_remarked(one: str, other: str) -> None:
    (remark,) = remarks.about_names(genres(one, other, "Folk"))
    assert repr(one) in remark
    assert repr(other) in remark
    assert "(2 tracks)" in remark
    assert "Folk" not in remark


@pytest.mark.parametrize(("one", "other"), DIFFERENT[:-1])
def test_different_genres_are_not(one: str, other: str) -> None:
    assert remarks.about_names(genres(one, other)) == []


@pytest.mark.parametrize(
    "name",
    ["nan", "NaN", "None", "null", "N/A", "<NA>", "#N/A", "unknown", "(Unknown)", "-", "?",
     "Unknown genre", "undefined"],
)  # fmt: skip
def test_genres_that_are_none_are_remarked(name: str) -> None:
    (remark,) = remarks.about_names(genres(name, "rock"))
    assert f"The genre {name!r} (2 tracks) is learnt and scored" in remark


def test_artists_that_look_alike_are_remarked() -> None:
    tracks = rows(1, 1, 3).assign(artist=["The Band", "the band", "Other"])
    assert "Artists that differ in spelling only" in remarks.about_names(tracks)[0]


def test_one_unicode_form_is_used_and_said_if_it_joins_genres() -> None:
    apart = unicodedata.normalize("NFD", "Música")
    tracks = genres("Música", apart, "rock").assign(path=[f"{apart}/{n}" for n in range(6)])
    made = table(tracks, "here")
    assert set(made["genre"]) == {"Música", "rock"}
    assert made["path"].str.startswith(apart).all()  # as it is on disk
    assert made.attrs["remarks"][0].startswith("2 tracks had a genre (Música)")
    assert not table(genres(apart, "rock"), "here").attrs.get("remarks")


def test_files_in_several_rows_are_remarked() -> None:
    tracks = rows(2, 1, 2).assign(path=["a.wav", "b.wav", "./a.wav", "c.wav"])
    (remark,) = remarks.about_files(tracks)
    assert "1 file is in the table more than once, for example a.wav (as g0 and g1)" in remark


def division(training: int, validation: int, test: int) -> tuple[pd.DataFrame, Fold]:
    tracks = rows(1, training + validation + test, 1)
    parts = np.split(np.arange(len(tracks)), [training, training + validation])
    return tracks, Fold(0, *parts)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((70, 10, 20), ""), ((60, 20, 20), ""), ((36, 19, 40), "40 of 95 in its test"),
        ((34, 20, 46), "34 of 100 in its training"), ((75, 4, 21), "4 tracks of 100 in its valid"),
        ((69, 21, 10), "21 tracks of 100 in its validation part: 21 %, where 10 %"),
        ((90, 1, 9), "9 tracks of 100 in its test part"),
        ((20, 21, 59), "larger than its training"),
    ],
)  # fmt: skip
def test_parts_far_from_their_share_are_remarked(sizes: tuple[int, int, int], said: str) -> None:
    tracks, fold = division(*sizes)
    found = " ".join(remarks.about_folds(tracks, [fold], (0.7, 0.1, 0.2)))
    assert said.split(" of ")[0] in found
    assert bool(said) == bool(found)
    if sizes[1] <= sizes[0]:
        assert remarks.about_folds(tracks, [fold]) == []  # nobody asked for shares


def test_a_genre_that_is_tested_but_not_learnt_is_remarked() -> None:
    tracks, fold = division(70, 10, 20)
    tracks.loc[95:, "genre"] = "polka"
    assert remarks.about_folds(tracks, [fold]) == [
        "The split has no training track of polka, but is tested on 5 tracks of it."
    ]


def test_many_look_alikes_take_one_line() -> None:
    names = [f"{form} {number}" for number in range(50) for form in ("Band", "band")]
    (remark,) = remarks.about_names(rows(1, 1, 100).assign(artist=names))
    assert remark.count("'Band") == 3
    assert remark.endswith("; and 47 more sets.")
