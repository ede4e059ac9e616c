from pathlib import Path

import pandas as pd
import pytest

from mgc.datasets import table
from mgc.datasets.table import Dataset
from mgc.errors import MgcError, UsageError
from mgc.home import FILES, read_json, write_json
from tests.datasets.conftest import rows


def saved(name: str = "mine", **record: object) -> Dataset:
    dataset = Dataset(name, rows(), Path("/music"), record)
    table.save(dataset)
    return dataset


def test_round_trip_keeps_every_value() -> None:
    dataset = saved(importer="folder", left_out={"genre rare": 2})
    again = table.load("mine")
    pd.testing.assert_frame_equal(again.tracks, dataset.tracks)
    assert again.root == Path("/music")
    assert again.record == {"importer": "folder", "left_out": {"genre rare": 2}}
    assert again.genres == ["g0", "g1"]
    assert again.paths()[0] == Path("/music/g0/a0/0.wav")
    assert again.folder == table.datasets_home() / "mine"


def test_ids_are_read_beside_the_table_unless_they_are_not_as_written() -> None:
    ids = saved().tracks["track_id"].tolist()
    there = table.datasets_home() / "mine" / table.IDS
    table_file = there.with_name(table.TRACKS)
    content = table_file.read_bytes()
    table_file.write_bytes(b"")
    assert table.track_ids("mine") == ids
    table_file.write_bytes(content)
    for damage in (b'["x"]', b"{", b"1"):
        there.write_bytes(damage)
        assert table.track_ids("mine") == ids
    record = {k: v for k, v in read_json(there.with_name(table.RECORD)).items() if k != FILES}
    write_json(there.with_name(table.RECORD), record)  # an earlier mgc replaced the dataset
    assert table.track_ids("mine") == ids
    there.unlink()
    assert table.track_ids("mine") == ids


def test_absolute_paths_stay() -> None:
    dataset = Dataset("x", rows().assign(path="/else/where.wav"), Path("/music"))
    assert dataset.paths()[0] == Path("/else/where.wav")


@pytest.mark.parametrize("name", ["", "Music", "a b", "../x", ".hidden", "x" * 65, "a/b"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid dataset name"):
        table.checked_name(name)


def test_table_fills_what_is_unknown() -> None:
    made = table.table(
        pd.DataFrame(
            {"track_id": [2, 1], "path": ["b", "a"], "genre": ["x", None], "mood": [7, 8]}
        ),
        "here",
    )
    assert list(made.columns) == [*table.COLUMNS, "mood"]
    assert list(made["track_id"]) == ["1", "2"]
    assert list(made["mood"]) == [8, 7]
    assert list(made["genre"]) == ["", "x"]
    assert list(made["artist"]) == ["", ""]
    assert made["duration"].isna().all()


def test_durations_that_no_track_has_become_unknown() -> None:
    said = ["3.5", "?", "-1", "inf", "1e308"]
    frame = pd.DataFrame({"track_id": list("abcde"), "path": "p", "genre": "x", "duration": said})
    made = table.table(frame, "here")
    assert made["duration"][0] == 3.5
    assert made["duration"][1:].isna().all()


def test_table_refuses_no_rows_and_double_ids() -> None:
    with pytest.raises(MgcError, match="here holds no tracks"):
        table.table(pd.DataFrame(columns=["track_id"]), "here")
    double = pd.DataFrame({"track_id": ["a", "a"], "path": ["1", "2"], "genre": ["x", "y"]})
    with pytest.raises(MgcError, match="'a' occurs more than once"):
        table.table(double, "here")


def test_load_names_what_is_wrong() -> None:
    saved("rock-and-pop")
    with pytest.raises(UsageError, match="No dataset is named 'rock-and-pip'") as caught:
        table.load("rock-and-pip")
    assert "rock-and-pop" in caught.value.hint
    write_json(table.datasets_home() / "new" / "dataset.json", {"schema": 99, "root": "/"})
    with pytest.raises(MgcError, match="newer mgc"):
        table.load("new")
    (table.datasets_home() / "rock-and-pop" / "tracks.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(MgcError, match="is damaged"):
        table.load("rock-and-pop")
    (table.datasets_home() / "rock-and-pop" / "tracks.parquet").unlink()
    with pytest.raises(MgcError, match="is damaged"):
        table.load("rock-and-pop")


def test_a_record_without_its_root_is_damage() -> None:
    saved()
    write_json(table.datasets_home() / "mine" / "dataset.json", {"schema": 1, "name": "mine"})
    with pytest.raises(MgcError, match="'mine' is damaged"):
        table.load("mine")


@pytest.mark.parametrize("name", ["..", "../settings", "a/b", ""])
def test_load_and_remove_take_names_only(name: str) -> None:
    saved()
    write_json(table.datasets_home().parent / "dataset.json", {"schema": 1, "root": "/"})
    with pytest.raises(UsageError):
        table.load(name)
    with pytest.raises(UsageError):
        table.remove(name)
    assert table.names() == ["mine"]


def test_remove_forgets_the_table_and_the_default() -> None:
    from mgc.datasets.default import choose_default, chosen_default

    saved("one")
    saved("two")
    choose_default("one")
    table.remove("one")
    assert table.names() == ["two"]
    assert chosen_default() is None
    with pytest.raises(UsageError, match="No dataset is named 'one'"):
        table.remove("one")


def test_default_name() -> None:
    from mgc.datasets.default import choose_default

    with pytest.raises(UsageError, match="no dataset yet"):
        table.default_name()
    saved("one")
    assert table.default_name() == "one"
    saved("two")
    with pytest.raises(UsageError, match="several datasets: one, two"):
        table.default_name()
    choose_default("two")
    assert table.default_name() == "two"
    table.remove("two")
    assert table.default_name() == "one"
