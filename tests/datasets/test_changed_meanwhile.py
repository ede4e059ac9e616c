"""Two processes that change one dataset: nothing that either did is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import mgc
from mgc.datasets import named_splits, table
from mgc.datasets.importers import importing
from mgc.datasets.quality import checking
from mgc.datasets.table import Dataset
from mgc.errors import MgcError, UsageError


@pytest.fixture
def dataset(mgc_home: Path, music: Path) -> Dataset:
    return mgc.datasets.add("mine", music)


def test_labels_corrected_during_a_check(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    track, genre = dataset.tracks["track_id"][0], dataset.genres[-1]
    hear = checking.hear

    def hearing(*paths: object, **named: object) -> object:
        mgc.datasets.correct("mine", {track: genre}, split="new")
        return hear(*paths, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(checking, "hear", hearing)
    checking.check(dataset)
    now = table.load("mine")
    assert now.tracks.set_index("track_id")["genre"][track] == genre
    assert now.tracks["duration"].notna().all()
    assert named_splits.current(now) == "new"
    assert now.record["corrections"]["changed"] == 1


def test_a_check_reads_the_table_again_only_if_it_changed(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> Dataset:
        raise AssertionError(f"{name} is read again")

    before = table.load("mine")
    part = replace(before, tracks=before.tracks.iloc[:1])
    with monkeypatch.context() as patched:
        patched.setattr(table, "load", load)
        checking.check(before)
    assert table.load("mine").tracks["duration"].notna().all()
    checking.check(part)  # of one track: the others stay
    assert len(table.load("mine").tracks) == len(before.tracks)


def test_a_dataset_that_is_removed_during_a_check(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = checking.hear

    def hearing(*paths: object, **named: object) -> object:
        table.remove("mine")
        return hear(*paths, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(checking, "hear", hearing)
    with pytest.raises(UsageError, match="mine"):
        checking.check(dataset)
    assert table.names() == []


def test_a_split_of_what_was_changed_meanwhile(dataset: Dataset) -> None:
    mgc.datasets.correct("mine", {dataset.tracks["track_id"][0]: dataset.genres[-1]})
    as_it_was = table.load("mine")
    with pytest.raises(MgcError, match="changed or removed the dataset 'mine' meanwhile"):
        named_splits.make(dataset, "other", "none", 3)
    assert table.load("mine").record == as_it_was.record
    made = named_splits.make(as_it_was, "other", "none", 3)
    assert named_splits.current(named_splits.make(made, "third", "none", 4)) == "third"


def test_two_datasets_of_one_name_at_once(
    mgc_home: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.symlink_to(music)
    divided = importing._divided

    def added_meanwhile(*arguments: object) -> object:
        monkeypatch.setattr(importing, "_divided", divided)
        mgc.datasets.add("mine", other)
        return divided(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(importing, "_divided", added_meanwhile)
    with pytest.raises(UsageError, match="already exists"):
        mgc.datasets.add("mine", music)
    assert table.load("mine").record["source"] == str(other)
