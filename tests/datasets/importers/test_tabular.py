"""Tables as people have them: taken if they are certain, else the error says what is wrong."""

from __future__ import annotations

import codecs
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from mgc.datasets.importers.manifest import import_manifest, import_split
from mgc.errors import MgcError, UsageError

ENCODINGS = {
    "utf-8": b"", "utf-8-sig": b"", "utf-16": b"", "utf-32": b"",
    "utf-16-le": b"", "utf-16-be": b"",  # without a mark
    "utf-16-be+mark": codecs.BOM_UTF16_BE, "ascii": b"",
}  # fmt: skip
ROWS = [
    ["path", "genre", "artist", "duration"],
    ["a.mp3", "Hip-Hop", "Earth, Wind; Fire", "3.5"],
    ["b.mp3", "Jazz", 'The "Q"', "2"],
    ["c.mp3", "Jazz", "", ""],
]


def text(separator: str, end: str) -> str:
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in ROWS]
    return "".join(separator.join(row) + end for row in quoted)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_separator_and_line_end_gives_the_same_table(
    tmp_path: Path, encoding: str
) -> None:
    expected = import_manifest(write(tmp_path / "plain.csv", text(",", "\n")))
    assert list(expected["artist"]) == ["Earth, Wind; Fire", 'The "Q"', ""]
    for number, (separator, end, suffix) in enumerate(
        product(",;\t|", ("\n", "\r\n", "\r"), (".csv", ".tsv"))
    ):
        content = ENCODINGS[encoding] + text(separator, end).encode(encoding.partition("+")[0])
        made = import_manifest(write(tmp_path / f"{number}{suffix}", content))
        pd.testing.assert_frame_equal(made, expected)
        assert not made.attrs.get("remarks")


TAKEN = {
    "separators at each end": "path,genre,artist\na,rock,x,\nb,jazz,y,\n",
    "separators at each end and in the header": "path,genre,artist,\na,rock,x,\nb,jazz,y,\n",
    "short rows": "path,genre,artist,title\na,rock,x\nb,jazz,y\n",
    "empty lines": "\npath,genre,artist\n\na,rock,x\n,,\nb,jazz,y\n\n",
    "Excel's line": "sep=;\r\npath;genre;artist\r\na;rock;x\r\nb;jazz;y\r\n",
    "pandas' index": ",path,genre,artist\n0,a,rock,x\n1,b,jazz,y\n",
    "aliases and spaces": " File , LABEL ,artist_id\na,rock,x\nb,jazz,y\n",
    "the same row twice": "path,genre,artist\na,rock,x\nb,jazz,y\na,rock,x\n",
    "a row without a genre": "path,genre,artist\na,rock,x\nb,jazz,y\nc,,z\n",
    "a Parquet suffix missing": pd.DataFrame(
        {"path": ["a", "b"], "genre": ["rock", "jazz"], "artist": ["x", "y"]}
    ).to_parquet(),
}  # fmt: skip
LEFT_OUT = {
    "the same row twice": {"same row twice": 1},
    "a row without a genre": {"no genre": 1},
}


@pytest.mark.parametrize("kind", TAKEN)
def test_what_is_certain_is_taken(tmp_path: Path, kind: str) -> None:
    made = import_manifest(write(tmp_path / "t.csv", TAKEN[kind]))
    assert made[["path", "genre", "artist"]].to_numpy().tolist() == [
        ["a", "rock", "x"], ["b", "jazz", "y"],
    ]  # fmt: skip
    assert made.attrs["left_out"] == LEFT_OUT.get(kind, {})


REFUSED = {
    "a field too many": ("path,genre\na,rock\nEarth, Wind,rock\n", "line 3 has 3 fields, but the"),
    "an open quote": ('path,genre\n"a,rock\nb,jazz\n', "line 3: unexpected end of data"),
    "a quote inside": ('path,genre\n"a" b,rock\n', "line 2: "),
    "a spreadsheet": (b"PK\3\4xxxx", "is a spreadsheet"),
    "nothing": ("", "it is empty"),
    "no header": ("a.mp3,rock\nb.mp3,jazz\n", "no row of column names: its first line is a track"),
    "a column twice": ("path,genre,Genre\na,rock,pop\n", "has two columns 'genre'"),
    "no genre, with semicolons": ("path;mood\na;sad\n", "no column 'genre'; it has path, mood"),
    "a path twice": (
        "path,genre\na,rock\na,jazz\n",
        "the path 'a' occurs .* rock and jazz .1 such",
    ),
    "bytes": (b"path,genre\n\x81\xff\x00", "neither UTF-8 nor cp1252"),
    "a genre in cp1252": ("path,genre\na,Música\n".encode("cp1252"), "not UTF-8; it may be cp1252"),
    "a path in cp1252": ("path,genre\né,rock\n".encode("cp1252"), "not UTF-8; it may be cp1252"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_certain_is_refused_with_its_reason(tmp_path: Path, kind: str) -> None:
    content, message = REFUSED[kind]
    with pytest.raises(MgcError, match=message) as caught:
        import_manifest(write(tmp_path / "t.csv", content))
    assert caught.value.hint
    assert "t.csv" in caught.value.message


def test_cp1252_is_taken_if_nothing_depends_on_it_or_files_confirm_it(tmp_path: Path) -> None:
    artist = "path,genre,artist\na,rock,Beyoncé\nb,jazz,Björk\n".encode("cp1252")
    made = import_manifest(write(tmp_path / "t.csv", artist))
    assert list(made["artist"]) == ["Beyoncé", "Björk"]
    assert made.attrs["remarks"] == ["t.csv is not UTF-8 and was read as cp1252 (Windows)."]
    write(tmp_path / "é.wav", b"x")
    proven = "path;genre\né.wav;Música\n".encode("cp1252")
    assert list(import_manifest(write(tmp_path / "p.csv", proven))["genre"]) == ["Música"]


PARQUET = {
    "ids in the index": lambda t: t.set_index("track_id"),
    "two levels of index": lambda t: t.set_index(["track_id", "genre"]),
    "categories": lambda t: t.astype({"genre": "category", "artist": "category"}),
    "bytes": lambda t: t.assign(genre=[b"rock", b"jazz", None]),
    "whole numbers": lambda t: t.astype({"track_id": int}),
    "numbers with a fraction": lambda t: t.astype({"track_id": float}),
    "nullable": lambda t: t.convert_dtypes(),
    "timedelta": lambda t: t.assign(duration=pd.to_timedelta(t["duration"].astype(float), "s")),
    "decimal commas": lambda t: t.assign(duration=["1,5", "2,25", "3"]),
    "capitals": lambda t: t.rename(columns=str.upper),
}


@pytest.mark.parametrize("kind", PARQUET)
def test_every_kind_of_parquet_gives_the_same_table(tmp_path: Path, kind: str) -> None:
    plain = pd.DataFrame(
        {"track_id": ["1", "2", "3"], "path": list("abc"), "genre": ["rock", "jazz", None],
         "artist": ["x", None, "z"], "duration": ["1.5", "2.25", "3"]}
    )  # fmt: skip
    PARQUET[kind](plain).to_parquet(tmp_path / "t.parquet")
    made = import_manifest(tmp_path / "t.parquet")
    assert made[["track_id", "genre", "artist", "duration"]].to_numpy().tolist() == [
        ["1", "rock", "x", 1.5], ["2", "jazz", "", 2.25],
    ]  # fmt: skip
    assert made.attrs["left_out"] == {"no genre": 1}


def test_a_column_twice_is_refused_in_parquet_too(tmp_path: Path) -> None:
    pd.DataFrame({"path": ["a"], "genre": ["x"], "Genre ": ["y"]}).to_parquet(
        tmp_path / "t.parquet"
    )
    with pytest.raises(MgcError, match="has two columns 'genre'"):
        import_manifest(tmp_path / "t.parquet")


def test_lists_are_no_genres(tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": ["a"], "genre": [["rock", "pop"]]})
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UsageError, match="'genre' holds a ndarray, not a text"):
        import_manifest(tmp_path / "t.parquet")


def test_a_split_is_read_from_the_same_kinds_of_table(tmp_path: Path) -> None:
    for content in (
        "track_id;split\n1;train\n2;test\n",
        "ID\tSubset\n1\ttrain\n2\ttest\n".encode("utf-16"),
        "id,split,\n1,training,\n2,test,\n",
    ):
        assert import_split(write(tmp_path / "s.csv", content)) == {"1": "training", "2": "test"}
