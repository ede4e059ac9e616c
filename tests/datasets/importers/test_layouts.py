"""Folders that hold no genre folders are recognised for what they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mgc.datasets.importers.layouts import check_layout
from mgc.errors import UsageError


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        (["fma_small/000/000002.mp3"], "layout of FMA", "fma-small --path"),
        (["fma_large/000/1.mp3", "fma_metadata/tracks.csv"], "layout of FMA", "fma-large --path"),
        (["000/000002.mp3", "001/001002.mp3"], "layout of FMA", "fma-small --path"),
        (
            ["FMA/fma_small/000/1.mp3", "FMA/fma_metadata/a"],
            "FMA has the layout of FMA",
            "/FMA --as",
        ),
        (["genres/blues/b.wav", "genres/rock/r.wav"], "layout of GTZAN", "gtzan --path"),
        (["audio/1.mp3", "tracks.csv"], "There is a tracks.csv in", "/tracks.csv"),
        (["1.mp3", "2.mp3", "tracks.csv"], "There is a tracks.csv in", "/tracks.csv"),
        (["audio/rock/1.mp3", "audio/pop/2.mp3", "metadata/a.txt"], "audio and metadata", "/audio"),
        (["train/rock/1.mp3", "test/rock/1.mp3"], "test and train", "a table with the columns"),
        (["rock/1.mp3", "jazz/1.mp3", "images/a.png"], "images: these are not", "other names"),
    ],
)
def test_a_layout_is_named_with_what_to_do(
    tmp_path: Path, files: Sequence[str], message: str, hint: str
) -> None:
    _make(tmp_path, files)
    with pytest.raises(UsageError) as told:
        check_layout("mine", tmp_path)
    assert message in told.value.message
    assert hint in told.value.hint


@pytest.mark.parametrize(
    "files",
    [
        ["rock/1.mp3", "jazz/1.mp3"],
        ["rock/1.mp3", "jazz/1.mp3", "tracks.csv"],
        ["blues/blues.00000.wav", "rock/rock.00000.wav"],
        ["80/1.mp3", "90/1.mp3", "rock/1.mp3"],
        ["1.mp3"],
    ],
)
def test_genre_folders_pass(tmp_path: Path, files: Sequence[str]) -> None:
    _make(tmp_path, files)
    check_layout("mine", tmp_path)


def _make(folder: Path, files: Sequence[str]) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
