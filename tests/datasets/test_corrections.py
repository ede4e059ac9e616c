"""The table of corrections, and datasets that follow it."""

import errno
import fcntl
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from mgc import datasets
from mgc.datasets import named_splits, table
from mgc.datasets.corrections import Correction, Corrections
from mgc.datasets.quarantine import quarantined, usable
from mgc.datasets.splits import k_folds, make_split, split_hash
from mgc.datasets.table import Dataset
from mgc.errors import MgcError, UsageError
from tests.datasets.conftest import rows

TRAINED, TESTED = "0-0-0", "0-1-0"


@pytest.fixture
def dataset() -> Dataset:
    """Genres g0, g1 and g2; the artist 1 of each is tested."""
    tracks = rows(3, 6, 2)
    tracks["split"] = "training"
    tracks.loc[tracks["artist"].str.endswith("-1"), "split"] = "test"
    made = Dataset("mine", tracks, Path("/music"), {"group_by": "artist"})
    table.save(made)
    return made


def genre(dataset: Dataset, track: str) -> str:
    return str(dataset.tracks.set_index("track_id")["genre"][track])


def test_answers_are_appended_and_undone() -> None:
    said = Corrections("mine")
    assert said.answers() == {}
    assert said.undo() is None
    said.add([Correction("a", "genre", ["jazz"]), Correction("b", "not music")])
    first = said.path.read_bytes()
    said.add([Correction("a", "several", ["jazz", "rock"]), Correction("c", "skip")])
    assert said.path.read_bytes().startswith(first)
    assert list(said.answers()) == ["b", "a", "c"]
    assert said.answers()["a"] == Correction("a", "several", ("jazz", "rock"))
    assert said.undo("a") == Correction("a", "several", ("jazz", "rock"))
    assert said.answers()["a"] == Correction("a", "genre", ("jazz",))
    assert said.undo() == Correction("c", "skip")
    assert said.undo() == Correction("b", "not music")
    assert list(said.answers()) == ["a"]
    assert said.path.read_bytes().startswith(first)
    assert len(said.path.read_text().splitlines()) == 7


def test_a_skipped_track_keeps_what_was_said() -> None:
    said = Corrections("mine")
    said.add([Correction("a", "genre", ["jazz"]), Correction("a", "skip")])
    assert said.answers()["a"].answer == "genre"


def test_a_half_written_line_was_never_an_answer() -> None:
    said = Corrections("mine")
    said.add([Correction("a", "genre", ["jazz"])])
    whole = said.path.read_bytes()
    said.path.write_bytes(whole + whole[:30])
    assert list(said.answers()) == ["a"]
    said.add([Correction("b", "not music")])
    assert list(said.answers()) == ["a", "b"]
    assert said.path.read_bytes().startswith(whole + b'{"track_id": "b"')


@pytest.mark.parametrize(
    "line",
    [
        '{"track_id": "a", "answer": "genre"}',
        '{"track_id": "a", "answer": "jazz", "genres": ["jazz"]}',
        '{"track_id": 7, "answer": "not music"}',
        '{"track_id": "a", "answer": "undo"}',
        '{"answer": "not music"}',
        '["a"]',
        "not JSON",
    ],
)
def test_a_damaged_line_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"track_id": "b", "answer": "skip"}\n' + line + "\n")
    with pytest.raises(MgcError, match="is damaged in line 2"):
        Corrections(path).answers()


def test_a_changed_byte_is_noticed_and_people_may_write_lines() -> None:
    said = Corrections("mine")
    said.add([Correction("a", "genre", ["jazz"])])
    good = said.path.read_text()
    said.path.write_text(good.replace("jazz", "jayz"))
    with pytest.raises(MgcError, match="has changed since it was written"):
        said.answers()
    said.path.write_text(
        json.dumps({"track_id": "a", "answer": "genre", "genres": ["jayz"]}) + "\n"
    )
    assert said.answers()["a"].genres == ("jayz",)


def test_labels_follow_the_table_and_go_back(dataset: Dataset) -> None:
    made = datasets.correct("mine", {TRAINED: "g2"})
    assert genre(made, TRAINED) == genre(datasets.load("mine"), TRAINED) == "g2"
    assert made.record["corrections"]["changed"] == 1
    datasets.corrections_of("mine").undo()
    back = datasets.correct("mine")
    assert list(back.tracks["genre"]) == list(dataset.tracks["genre"])
    assert back.record["corrections"]["digest"] == ""


def test_test_tracks_wait_for_a_new_split(dataset: Dataset) -> None:
    said = datasets.corrections_of("mine")
    said.add([Correction(TESTED, "genre", ["g1"]), Correction("0-1-1", "not music")])
    made = datasets.correct("mine", {TRAINED: "g1"})
    assert (genre(made, TRAINED), genre(made, TESTED)) == ("g1", "g0")
    assert made.record["corrections"]["test_tracks_waiting"] == 2
    assert not len(quarantined(made))
    made = datasets.correct("mine", split="corrected")
    assert genre(made, TESTED) == "g1"
    assert list(quarantined(made)["track_id"]) == ["0-1-1"]
    assert named_splits.current(made) == "corrected"
    assert named_splits.names(made) == ["corrected", "first"]
    # What was corrected stays so, whichever part it is in now; what is said later waits again.
    tested = made.tracks[made.tracks["split"] == "test"]["track_id"].iloc[0]
    said.add([Correction(tested, "not music")])
    again = datasets.correct("mine")
    assert list(again.tracks["genre"]) == list(made.tracks["genre"])
    assert list(quarantined(again)["track_id"]) == ["0-1-1"]
    with pytest.raises(UsageError, match="already is a split 'corrected'"):
        datasets.correct("mine", split="corrected")


def test_what_is_not_music_or_several_is_left_out(dataset: Dataset) -> None:
    said = datasets.corrections_of("mine")
    said.add([Correction("1-0-0", "not music"), Correction("1-0-1", "several", ["g2", "g1"])])
    made = datasets.correct("mine")
    assert usable(made)[1] == {"corrected: not music": 1, "corrected: several genres": 1}
    first = datasets.correct("mine", several="first")
    assert usable(first)[1] == {"corrected: not music": 1}
    assert genre(first, "1-0-1") == "g2"
    said.undo("1-0-0")
    assert usable(datasets.correct("mine", several="first"))[1] == {}


def test_another_reason_to_leave_out_stays(dataset: Dataset) -> None:
    listed = pd.DataFrame({"track_id": ["1-0-0"], "fault": "silent", "detail": "", "hearing": ""})
    listed.to_csv(dataset.folder / "quarantine.csv", index=False)
    said = datasets.corrections_of("mine")
    said.add([Correction("1-0-0", "not music")])
    assert list(quarantined(datasets.correct("mine"))["fault"]) == ["silent"]
    said.undo()
    assert list(quarantined(datasets.correct("mine"))["fault"]) == ["silent"]


def test_folds_are_the_same_with_corrected_labels(dataset: Dataset) -> None:
    before = k_folds(dataset.tracks, 3, "artist", 0)
    made = datasets.correct("mine", {"0-0-0": "g2", "0-0-1": "g2", "0-2-0": "g1"})
    after = k_folds(made.tracks, 3, "artist", 0)
    assert split_hash(dataset.tracks, before) == split_hash(made.tracks, after)
    relabelled = made.tracks.drop(columns="genre_before")
    assert split_hash(relabelled, k_folds(relabelled, 3, "artist", 0)) != split_hash(
        made.tracks, after
    )


def test_many_at_once_lose_nothing() -> None:
    said = Corrections("mine")

    def answer(number: int) -> None:
        said.add([Correction(f"{number}-{part}", "skip") for part in range(3)])
        said.undo()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(answer, range(16)))
    assert len(said.answers()) == 32
    with ThreadPoolExecutor(8) as pool:
        undone = [one.track_id for one in pool.map(lambda _: said.undo(), range(32)) if one]
    assert len(set(undone)) == 32
    assert said.answers() == {}


def test_what_is_no_answer_is_not_written() -> None:
    said = Corrections("mine")
    good = Correction("a", "genre", ["jazz"])
    for bad in (("b", "genre", ()), ("b", "undo", ()), ("b", "jazz", ()), (7, "skip", ())):
        with pytest.raises(UsageError):
            said.add([good, bad])  # type: ignore[list-item]
    assert not said.path.exists()


def test_a_disk_without_locks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", missing)
    with pytest.raises(MgcError, match=r"mine\.jsonl\.lock cannot be locked: No locks") as caught:
        Corrections("mine").add([Correction("a", "genre", ["jazz"])])
    assert "has locks" in caught.value.hint


def test_a_table_that_is_not_there_does_not_take_corrections_back(dataset: Dataset) -> None:
    datasets.correct("mine", {TRAINED: "g2"})
    with pytest.raises(UsageError, match="There is no table of corrections"):
        datasets.correct("mine", "mien")
    assert genre(datasets.load("mine"), TRAINED) == "g2"


def test_names_are_checked(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No genre is named 'g9'"):
        datasets.correct("mine", {TRAINED: "g1", "0-0-1": "g9"})
    with pytest.raises(UsageError, match="No track is named '0-0-9'"):
        datasets.correct("mine", {"0-0-9": "g1"})
    assert datasets.corrections_of("mine").answers() == {}
    other = datasets.corrections_of(tmp_path / "other.jsonl")
    other.add([Correction(TRAINED, "genre", ["jazz"])])
    with pytest.raises(UsageError, match="jazz"):
        datasets.correct("mine", tmp_path / "other.jsonl")
    assert genre(datasets.load("mine"), TRAINED) == "g0"


def test_a_split_made_anew_has_the_corrected_labels(dataset: Dataset) -> None:
    made = datasets.correct("mine", {TRAINED: "g2"})
    split = make_split(made.tracks, "artist", 0)
    assert set(made.tracks["genre"][split == "test"]) == {"g0", "g1", "g2"}
