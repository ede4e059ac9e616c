from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mgc.audio import decoding
from mgc.datasets import named_splits, splits, table
from mgc.datasets.importers.importing import add_path
from mgc.datasets.quality import kept_codes
from mgc.datasets.quality.audit import audit, fix
from mgc.datasets.quality.checking import check
from mgc.datasets.table import Dataset
from mgc.errors import MgcError, UsageError
from tests.datasets.conftest import RATE, music, rows, write

SECONDS = 8.0


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """2 genres × 6 artists × 2 tracks, with a sound grouped split and no copies."""
    tracks = rows(2, 6, 2)
    for number, path in enumerate(tracks["path"]):
        write(tmp_path / "music" / path, music(number, SECONDS))
    tracks["split"] = splits.make_split(tracks, "artist", 0)
    made = Dataset("mine", tracks, tmp_path / "music", {"group_by": "artist"})
    table.save(made)
    return made


def changed(dataset: Dataset, **columns: object) -> Dataset:
    made = replace(dataset, tracks=dataset.tracks.assign(**columns))
    table.save(made)
    return made


def copy_of(dataset: Dataset, source: str, target: str, change) -> None:
    """Make the audio of one track a copy of another's."""
    place = dataset.tracks.set_index("track_id")["path"]
    wave, rate = decoding.decode(dataset.root / place[source])
    change(wave, rate, dataset.root / place[target])


def as_mp3(wave: np.ndarray, rate: int, path: Path) -> None:
    write(path, wave[rate // 2 :] * np.float32(0.708), rate, format="MP3")


def bytes_alike(wave: np.ndarray, rate: int, path: Path) -> None:
    write(path, wave, rate, subtype="PCM_16")


def test_a_sound_dataset_is_clean(dataset: Dataset) -> None:
    found = audit(dataset)
    assert found.clean
    assert [(leak.by, leak.groups) for leak in found.leaks] == [("artist", 0)]
    assert found.copies == []
    assert found.balance.to_numpy().sum() == 24
    assert found.warnings == []


def test_leaks_by_artist_album_and_both(dataset: Dataset) -> None:
    split = ["training", "test"] * 6 + ["training"] * 12
    album = ["a"] * 2 + [""] * 10 + ["b"] * 12
    found = audit(changed(dataset, split=split, album=album))
    leaks = {leak.by: leak for leak in found.leaks}
    assert (leaks["artist"].groups, leaks["artist"].tracks) == (6, 12)
    assert (leaks["album"].groups, leaks["album"].tracks) == (1, 2)
    assert leaks["album"].examples == [("a", {"training": 1, "test": 1})]
    assert leaks["artist+album"].groups == 6
    assert not found.clean


def test_chains_of_artists_and_albums_are_one_component(dataset: Dataset) -> None:
    """No artist and no album crosses, but what hangs together does not either: they must agree."""
    artist = ["a", "a", "b", "b", *[f"x{n}" for n in range(20)]]
    album = ["", "one", "one", "", *[""] * 20]
    split = ["training", "training", "test", "test", *["training"] * 20]
    leaks = {
        leak.by: leak
        for leak in audit(changed(dataset, artist=artist, album=album, split=split)).leaks
    }
    assert leaks["artist"].groups == 0
    assert leaks["album"].groups == 1
    assert (leaks["artist+album"].groups, leaks["artist+album"].tracks) == (1, 4)
    assert leaks["artist+album"].examples[0][0].endswith("and 2 more")


def test_tracks_outside_of_the_split_do_not_leak(dataset: Dataset) -> None:
    found = audit(changed(dataset, split=["training", ""] * 12))
    assert found.leaks[0].groups == 0
    assert list(found.balance.columns) == ["training", ""]


@pytest.mark.parametrize(("at_once", "memory"), [(1_000, 128 << 20), (7, 100)])
def test_copies_exact_and_near(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, at_once: int, memory: int
) -> None:
    monkeypatch.setattr("mgc.datasets.quality.kept_codes.MAX_MEMORY", memory)
    monkeypatch.setattr("mgc.datasets.quality.audit.AT_ONCE", at_once)
    monkeypatch.setattr("mgc.datasets.quality.listening.RECALLED_AT_ONCE", at_once)
    copy_of(dataset, "0-0-0", "1-5-1", bytes_alike)
    copy_of(dataset, "0-0-0", "0-3-0", bytes_alike)
    copy_of(dataset, "1-1-0", "0-2-1", as_mp3)
    found = audit(dataset)
    named = {(pair.first, pair.second): pair for pair in found.copies}
    assert set(named) == {("0-0-0", "0-3-0"), ("0-0-0", "1-5-1"), ("0-2-1", "1-1-0")}
    assert named["0-0-0", "1-5-1"].kind == "exact"
    assert named["0-0-0", "1-5-1"].genres == ("g0", "g1")
    near = named["0-2-1", "1-1-0"]
    assert near.kind == "near"
    assert near.offset == pytest.approx(-0.5, abs=0.05)
    recording = found.tracks.set_index("track_id")["recording"]
    assert recording["0-0-0"] == recording["0-3-0"] == recording["1-5-1"] == "0-0-0"
    assert (recording != "").sum() == 5
    where = dataset.tracks.set_index("track_id")["split"]
    assert near.crosses == (where["0-2-1"] != where["1-1-0"])


def test_uneven_genres_are_said(dataset: Dataset) -> None:
    genre = ["g0"] * 4 + ["g1"] * 20
    split = ["training"] * 4 + ["training"] * 10 + ["test"] * 10
    warnings = audit(changed(dataset, genre=genre, split=split)).warnings
    assert "g1 has 5 times the tracks of g0: look at F1, not just accuracy." in warnings
    assert "g0 has no track in the test split." in warnings
    assert any("of the test split and" in warning for warning in warnings)


def test_quarantined_tracks_are_not_looked_at(dataset: Dataset) -> None:
    copy_of(dataset, "0-0-0", "1-5-1", lambda wave, rate, path: write(path, 0 * wave, rate))
    check(dataset)
    found = audit(dataset)
    assert found.left_out == {"silent": 1}
    assert len(found.tracks) == 23
    assert len(audit(dataset, include_bad=True).tracks) == 24


def test_fix_moves_as_little_as_it_can(dataset: Dataset) -> None:
    before = dataset.tracks["split"].copy()
    strays = dataset.tracks.index[(before == "training")][[0, 6]]
    split = before.copy()
    split[strays] = "test"
    # Three tracks of an artist would decide by majority; with two, training wins the tie.
    leaky = changed(dataset, split=split)
    found = audit(leaky)
    assert not found.clean
    fixed, moved = fix(leaky, found)
    assert moved == 2
    assert list(fixed.tracks["split"]) == list(before)
    assert audit(table.load("mine")).clean
    assert named_splits.names(fixed) == ["clean", "first"]
    assert list(named_splits.use(fixed, "first").tracks["split"]) == list(split)


def test_fix_ties_copies_together_for_all_later_splits(dataset: Dataset) -> None:
    where = dataset.tracks.set_index("track_id")["split"]
    one = where.index[where == "training"][0]
    other = where.index[where == "test"][-1]
    copy_of(dataset, one, other, as_mp3)
    found = audit(dataset)
    assert not found.clean
    fixed, moved = fix(dataset, found)
    assert moved >= 1
    assert audit(table.load("mine")).clean
    tracks = fixed.tracks.set_index("track_id", drop=False)
    assert tracks["recording"][one] == tracks["recording"][other] != ""
    for fold in splits.k_folds(fixed.tracks, 3, "none", 0):
        tested = {fixed.tracks["track_id"][row] for row in fold.test}
        assert (one in tested) == (other in tested)


def test_fix_splits_anew_where_moving_empties_a_part(dataset: Dataset) -> None:
    tracks = dataset.tracks
    split = ["training"] * 24
    split[1] = split[13] = "test"  # an artist of each genre is half in the test split
    split[3] = split[15] = "validation"
    leaky = changed(dataset, split=split)
    fixed, _ = fix(leaky, audit(leaky), seed=3)
    assert audit(fixed).clean
    assert (pd.crosstab(fixed.tracks["genre"], fixed.tracks["split"]) > 0).all(axis=None)
    assert fixed.record["split"]["made"] == "stratified by genre"
    assert len(fixed.tracks) == len(tracks)


def test_fix_says_where_no_clean_split_can_be(dataset: Dataset) -> None:
    leaky = changed(dataset, artist="one", split=["training", "test"] * 12)
    found = audit(leaky)
    with pytest.raises(UsageError, match="has only 1 artist"):
        fix(leaky, found)
    fixed, moved = fix(leaky, found, by="none")
    assert moved == 0
    assert named_splits.current(fixed) == "clean"


def test_a_folder_of_genres_end_to_end(tmp_path: Path) -> None:
    for first, genre in ((0, "rock"), (100, "jazz")):
        for number in range(6):
            write(tmp_path / genre / f"{number}.wav", music(first + number, 8.0))
    wave, rate = decoding.decode(tmp_path / "rock/0.wav")
    write(tmp_path / "jazz/copy.mp3", wave[: 7 * RATE], rate, format="MP3")
    dataset = add_path("mine", tmp_path, group_by=None, seed=0, drop_rare=False)
    found = audit(dataset)
    assert found.leaks == []
    assert [(pair.first, pair.second) for pair in found.copies] == [("jazz/copy.mp3", "rock/0.wav")]


def test_a_disk_that_has_no_room_for_fingerprints_is_named() -> None:
    kept = kept_codes.KeptCodes()
    with (
        open("/dev/full", "wb", buffering=0) as kept.file,
        pytest.raises(MgcError, match="No space"),
    ):
        kept.add(np.arange(5))
