import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mgc import home
from mgc.datasets import named_splits, summary, table
from mgc.datasets.importers.importing import add_path
from mgc.datasets.named_splits import current, make, names, put, read, use
from mgc.datasets.splits import make_split
from mgc.datasets.table import Dataset
from mgc.errors import MgcError, UsageError
from mgc.home import read_json
from tests.datasets.conftest import rows


@pytest.fixture
def dataset() -> Dataset:
    tracks = rows(3, 10, 2)
    tracks["split"] = make_split(tracks, "artist", 0)
    made = Dataset("mine", tracks, Path("/music"), {"split": {"made": "at the import"}})
    table.save(made)
    return made


def test_splits_are_kept_by_name(dataset: Dataset) -> None:
    first = list(dataset.tracks["split"])
    assert (current(dataset), names(dataset)) == ("first", ["first"])
    second = make(dataset, "second", "artist", seed=5)
    assert list(second.tracks["split"]) != first
    assert second.record["split"] == {
        "name": "second", "made": "stratified by genre", "grouped_by": "artist", "seed": 5,
    }  # fmt: skip
    loaded = table.load("mine")
    assert list(loaded.tracks["split"]) == list(second.tracks["split"])
    assert (current(loaded), names(loaded)) == ("second", ["first", "second"])
    back = use(loaded, "first")
    assert list(back.tracks["split"]) == first
    assert back.record["split"] == {"made": "at the import", "name": "first"}
    assert use(back, "first") is back
    assert list(use(back, "second").tracks["split"]) == list(second.tracks["split"])


def test_unknown_and_bad_names_are_said(dataset: Dataset) -> None:
    with pytest.raises(UsageError, match="No split is named 'frist'") as caught:
        use(dataset, "frist")
    assert "'first'" in caught.value.hint
    with pytest.raises(UsageError, match="is not a valid dataset name"):
        make(dataset, "../evil", "artist", 0)


def test_a_split_from_a_table(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    pd.DataFrame({"id": dataset.tracks["track_id"][:40], "subset": ["train", "test"] * 20}).to_csv(
        path, index=False
    )
    made = read(dataset, "theirs", path)
    assert list(made.tracks["split"][:4]) == ["training", "test", "training", "test"]
    assert set(made.tracks["split"][40:]) == {""}
    assert "read from" in made.record["split"]["made"]
    path.write_text("track_id,split\nnobody,train\n")
    with pytest.raises(MgcError, match="names none of the 60 tracks"):
        read(dataset, "theirs", path)
    path.write_text("track_id,part\n1,train\n")
    with pytest.raises(UsageError, match="no column 'split'"):
        read(dataset, "theirs", path)
    path.write_text("split\ntrain\n")
    with pytest.raises(UsageError, match="no column 'track_id'"):
        read(dataset, "theirs", path)


def test_a_replaced_split_is_the_new_one(dataset: Dataset) -> None:
    one = put(dataset, "mine", dataset.tracks["split"], {"made": "x"})
    assert current(one) == "mine"
    two = make(one, "mine", "artist", 9)
    assert names(two) == ["first", "mine"]
    assert list(use(use(two, "first"), "mine").tracks["split"]) == list(two.tracks["split"])


def test_the_file_of_a_split_is_plain(dataset: Dataset) -> None:
    make(dataset, "second", "artist", 5)
    stored = pd.read_csv(dataset.folder / "splits" / "second.csv", dtype=str)
    assert list(stored.columns) == ["track_id", "split"]
    assert named_splits.FIRST in names(dataset)


def test_the_summary_counts(dataset: Dataset) -> None:
    found = summary.summary(dataset)
    assert (found["tracks"], found["artists"], found["albums"]) == (60, 30, 0)
    assert found["hours"] == round(60 * 2 / 3600, 2)
    assert sum(counts["training"] for counts in found["genres"].values()) == 42
    assert found["splits"] == {"training": 42, "validation": 6, "test": 12}
    assert found["checked"] is False
    unknown = Dataset("mine", dataset.tracks.assign(duration=float("nan")), Path("/"), {})
    assert summary.summary(unknown)["tracks_of_unknown_length"] == 60


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_an_export_is_imported_as_it_was(tree: Path, tmp_path: Path, suffix: str) -> None:
    dataset = add_path("mine", tree, group_by=None, seed=0, drop_rare=False)
    path = tmp_path / f"out{suffix}"
    summary.export(dataset, path)
    again = add_path("again", path, group_by=None, seed=0, drop_rare=False)
    columns = [name for name in table.COLUMNS if name != "path"]
    pd.testing.assert_frame_equal(again.tracks[columns], dataset.tracks[columns])
    assert again.paths() == dataset.paths()


def test_an_export_that_cannot_be_is_said(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file name extension that names the format"):
        summary.export(dataset, tmp_path / "out.xls")
    with pytest.raises(MgcError, match="does not exist"):
        summary.export(dataset, tmp_path / "absent" / "out.csv")
    summary.export(dataset, tmp_path / "out.csv")
    with pytest.raises(UsageError, match="already exists"):
        summary.export(dataset, tmp_path / "out.csv")
    summary.export(dataset, tmp_path / "out.csv", replace=True)


KILLED = """
import os, signal, sys
rename, left = os.replace, int(sys.argv[1])
def replace(*names, **more):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*names, **more)
os.replace = replace
from mgc.datasets import named_splits, table
named_splits.make(table.load("mine"), "second", "artist", seed=9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
@pytest.mark.parametrize("renamed", range(10))
def test_a_split_that_is_killed_is_the_old_one_or_the_new(dataset: Dataset, renamed: int) -> None:
    first = list(dataset.tracks["split"])
    command = [sys.executable, "-c", KILLED, str(renamed)]
    killed = subprocess.run(command, check=False, timeout=60).returncode
    assert killed in (-9, 0)  # how many files are renamed depends on what is cached
    now = table.load("mine")
    is_old = list(now.tracks["split"]) == first
    assert is_old == (current(now) == "first")
    assert is_old == (renamed < 4) or renamed in (4, 5)
    assert killed == -9 or not is_old
    home._tidy.clear()  # as in a new process
    third = make(now, "third", "artist", seed=5)
    assert list(use(third, "first").tracks["split"]) == first
    assert not list(dataset.folder.rglob(".*.tmp"))


def test_a_changed_table_or_split_is_named(dataset: Dataset) -> None:
    make(dataset, "second", "artist", seed=9)
    path = dataset.folder / "splits" / "first.csv"
    text = path.read_text()
    path.write_text(text.replace("training", "test", 1))
    with pytest.raises(MgcError, match=r"'mine' is damaged: splits/first\.csv has changed"):
        use(table.load("mine"), "first")
    path.write_text(text)
    use(table.load("mine"), "first")
    path = dataset.folder / "tracks.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(MgcError, match=r"'mine' is damaged: tracks\.parquet has changed"):
        table.load("mine")


def test_a_dataset_without_checksums_is_read(dataset: Dataset) -> None:
    make(dataset, "second", "artist", seed=9)
    path = dataset.folder / "dataset.json"
    plain = {k: v for k, v in read_json(path).items() if k != "checksums"}
    path.write_text(json.dumps(plain))
    assert list(use(table.load("mine"), "first").tracks["split"]) == list(dataset.tracks["split"])
