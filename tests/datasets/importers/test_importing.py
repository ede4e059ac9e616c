from pathlib import Path

import pandas as pd
import pytest

from mgc.datasets import table
from mgc.datasets.importers.importing import add_demo, add_path
from mgc.errors import MgcError, UsageError
from tests.datasets.conftest import music, write


def add(name: str, path: Path, **options: object) -> table.Dataset:
    given: dict = {"group_by": None, "seed": 0, "drop_rare": False, **options}
    return add_path(name, path, **given)


def test_a_folder_becomes_a_dataset_with_a_grouped_split(tree: Path) -> None:
    dataset = add("mine", tree)
    assert len(dataset.tracks) == 16
    assert (dataset.tracks.groupby("artist")["split"].nunique() == 1).all()
    assert dataset.record["group_by"] == "artist"
    assert dataset.record["split"]["grouped_by"] == "artist"
    assert all(path.exists() for path in dataset.paths())
    again = table.load("mine")
    pd.testing.assert_frame_equal(again.tracks, dataset.tracks)
    assert dict(again.record) == dict(dataset.record)


def test_a_table_keeps_its_own_split(tree: Path) -> None:
    files = sorted(tree.rglob("*.wav"))
    split = (["training"] * 5 + ["validation"] + ["test"] * 2) * 2
    frame = pd.DataFrame(
        {
            "path": [str(f.relative_to(tree)) for f in files],
            "genre": [f.relative_to(tree).parts[0] for f in files],
            "split": split,
        }
    )
    frame.to_csv(tree / "t.csv", index=False)
    dataset = add("mine", tree / "t.csv")
    assert list(dataset.tracks["split"]) == split
    assert "own column" in dataset.record["split"]["made"]
    assert dataset.root == tree


def test_wrong_paths_are_said(tmp_path: Path, tree: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        add("mine", tmp_path / "nowhere")
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(UsageError, match="neither a folder nor a table"):
        add("mine", tmp_path / "x.txt")
    (tmp_path / "t.csv").write_text("path,genre\nno.mp3,rock\nnot.mp3,jazz\n")
    with pytest.raises(UsageError, match="None of the 2 files") as caught:
        add("mine", tmp_path / "t.csv")
    assert str(tmp_path) in caught.value.hint


def test_a_bad_name_is_said_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a valid dataset name"):
        add("My Music", tmp_path / "nowhere")


def test_rare_genres_are_named_or_dropped(tree: Path) -> None:
    write(tree / "polka/one.wav", music(5, 0.2))
    with pytest.raises(UsageError, match="Genre 'polka' has only 1 track;") as caught:
        add("mine", tree)
    assert "--drop-rare" in caught.value.hint
    dataset = add("mine", tree, drop_rare=True)
    assert dataset.genres == ["genre0", "genre1"]
    assert dataset.record["left_out"] == {"genre polka": 1}


def test_drop_rare_drops_genres_with_too_few_artists(tree: Path) -> None:
    for number in range(4):
        write(tree / "polka/one artist" / f"{number}.wav", music(number, 0.2))
    with pytest.raises(UsageError, match="'polka' has only 1 artist"):
        add("mine", tree)
    dataset = add("mine", tree, drop_rare=True)
    assert dataset.genres == ["genre0", "genre1"]
    assert dataset.record["left_out"] == {"genre polka": 4}


def test_one_genre_is_not_enough(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / "rock" / f"{number}.wav", music(number, 0.2))
    with pytest.raises(UsageError, match="only 1 genre"):
        add("mine", tmp_path)


def test_a_failed_import_leaves_the_old_dataset(tree: Path, tmp_path: Path) -> None:
    add("mine", tree)
    with pytest.raises(MgcError):
        add("mine", tmp_path / "nowhere")
    assert len(table.load("mine").tracks) == 16


def test_importing_again_replaces_the_table(tree: Path) -> None:
    add("mine", tree)
    write(tree / "genre0/artist0/9.wav", music(99, 0.2))
    assert len(add("mine", tree).tracks) == 17
    assert len(table.load("mine").tracks) == 17


def test_grouping_can_be_chosen(tree: Path) -> None:
    dataset = add("mine", tree, group_by="none", seed=1)
    assert dataset.record["group_by"] == "none"
    assert (dataset.tracks.groupby("artist")["split"].nunique() > 1).any()


def test_the_demo_is_a_dataset_and_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mgc.datasets.importers.demo.SECONDS", 0.5)
    first = add_demo("demo", seed=0)
    bytes_before = {path: path.read_bytes() for path in first.paths()}
    assert len(first.genres) == 8
    assert all(path.is_relative_to(first.folder) for path in bytes_before)
    victim = first.paths()[3]
    victim.unlink()
    second = add_demo("demo", seed=0)
    assert {path: path.read_bytes() for path in second.paths()} == bytes_before
    pd.testing.assert_frame_equal(first.tracks, second.tracks)


def test_another_seed_makes_another_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mgc.datasets.importers.demo.SECONDS", 0.5)
    one = add_demo("demo", seed=0).paths()[0].read_bytes()
    other = add_demo("demo", seed=1).paths()[0].read_bytes()
    assert one != other


def test_a_name_belongs_to_what_it_was_given_to(home: Path, tmp_path: Path) -> None:
    for where in ("one", "other"):
        for genre in ("jazz", "rock"):
            for number in range(3):
                write(tmp_path / where / genre / f"{number}.wav", music(number))
    add_path("m", tmp_path / "one", group_by=None, seed=0, drop_rare=False)
    add_path("m", tmp_path / "one", group_by=None, seed=0, drop_rare=False)  # is no other
    with pytest.raises(UsageError, match="A dataset 'm' already exists") as caught:
        add_path("m", tmp_path / "other", group_by=None, seed=0, drop_rare=False)
    assert "mgc data remove m" in caught.value.hint
