"""``mgc data correct``, and what it means for runs before and after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import mgc as api
from mgc.errors import MgcError


@pytest.fixture
def training(mgc: Callable, music: Path) -> list[str]:
    """The ids of the training tracks of a dataset."""
    assert mgc("data", "add", "m", music, "--group-by", "none").code == 0
    tracks = api.datasets.load("m").tracks
    return list(tracks["track_id"][tracks["split"] == "training"])


def test_correct_says_what_it_did(mgc: Callable, training: list[str]) -> None:
    tracks = api.datasets.load("m").tracks
    tested = tracks["track_id"][tracks["split"] == "test"].iloc[0]
    genres = tracks.set_index("track_id")["genre"]
    other = {track: next(g for g in set(genres) if g != genres[track]) for track in genres.index}
    told = mgc(
        "data", "correct", "m",
        "--set", f"{training[0]}={other[training[0]]}", "--set", f"{tested}={other[tested]}",
    )  # fmt: skip
    assert told.code == 0, told.err
    assert "1 label corrected, 0 tracks left out" in told.out
    assert "1 test track of the split in use" in told.err
    assert "1 label corrected" in mgc("data", "show", "m").out
    found = mgc("data", "correct", "m", "--split", "new", "--json").json
    assert (found["changed"], found["test_tracks_waiting"]) == (2, 0)
    assert mgc("data", "correct", "m", "--set", "jazz").code == 2
    assert mgc("data", "correct", "m", "m", "--set", "a=jazz").code == 2


def test_runs_before_and_after_are_tested_by_the_same_labels(
    mgc: Callable, training: list[str]
) -> None:
    before = [api.fit("m", "mfcc", "logistic", folds=folds) for folds in (3, 0)]
    genres = api.datasets.load("m").tracks.set_index("track_id")["genre"]
    wrong = {track: "jazz" if genres[track] != "jazz" else "metal" for track in training[:3]}
    api.datasets.correct("m", wrong)
    after = [api.fit("m", "mfcc", "logistic", folds=folds) for folds in (3, 0)]
    tests = int((api.datasets.load("m").tracks["split"] == "test").sum())
    for one, other, tracks in zip(before, after, (27, tests), strict=True):
        told = mgc("compare", one.name, other.name)
        assert f"Paired on {tracks} tracks" in told.err.replace("Paired on  ", "Paired on "), told
        assert "Labels were corrected between" in told.err
    # Without names only runs by the labels of today are put side by side, and no ensemble mixes.
    assert list(api.compare("m")["runs"]) == [[after[1].name]]
    with pytest.raises(MgcError, match="differ in the genre of 3 rows"):
        api.ensemble("mean-probability", [before[0], after[0]])
