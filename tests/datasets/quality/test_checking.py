import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mgc.datasets import table
from mgc.datasets.importers.importing import add_path
from mgc.datasets.quality import listening
from mgc.datasets.quality.checking import LEFT_OUT, REMARKS, check
from mgc.datasets.quality.listening import ListeningResult, hear, listen, recall
from mgc.datasets.quarantine import quarantine, quarantine_file, quarantined, usable
from mgc.errors import MgcError, UsageError
from tests.datasets.conftest import RATE, music, rows, write

SECONDS = 4.0


def plant(folder: Path, seconds: float = SECONDS) -> dict[str, str]:
    """Eleven faults among good clips of so many seconds: file → fault."""
    good = music(99, seconds)
    quiet = np.float32(1e-4) * np.random.default_rng(0).standard_normal(len(good))
    spoilt = good.copy()
    spoilt[1000] = np.nan
    write(folder / "rock/not-numbers.wav", spoilt, subtype="FLOAT")
    write(folder / "rock/short.wav", good[: RATE // 2])
    write(folder / "rock/zero.wav", np.zeros_like(good))
    write(folder / "jazz/near-silent.wav", quiet, subtype="FLOAT")
    write(folder / "jazz/clipped.wav", np.clip(8 * good, -0.8, 0.8))
    write(folder / "jazz/rate.wav", music(98, seconds, 16_000), 16_000)
    write(folder / "jazz/channels.wav", np.stack([good, good], axis=1))
    write(folder / "jazz/duration.wav", music(97, 7.0))
    write(folder / "jazz/one-sided.wav", np.stack([good, 0 * good], axis=1))
    (folder / "rock/empty.mp3").write_bytes(b"")
    (folder / "rock/text.mp3").write_text("This is no music. " * 200)
    return {
        "rock/not-numbers.wav": "not numbers",
        "rock/short.wav": "too short",
        "rock/zero.wav": "silent",
        "jazz/near-silent.wav": "silent",
        "jazz/clipped.wav": "clipped",
        "jazz/rate.wav": "rate",
        "jazz/channels.wav": "channels",
        "jazz/one-sided.wav": "dead channel",
        "jazz/duration.wav": "duration",
        "rock/empty.mp3": "empty",
        "rock/text.mp3": "undecodable",
    }


@pytest.fixture
def planted(tmp_path: Path) -> tuple[table.Dataset, dict[str, str]]:
    folder = tmp_path / "music"
    for genre in ("rock", "jazz"):
        for number in range(28):
            write(folder / genre / f"{number:02d}.wav", music(number, SECONDS))
    faults = plant(folder)
    dataset = add_path("mine", folder, group_by=None, seed=0, drop_rare=False)
    gone = folder / "rock" / "05.wav"
    gone.unlink()
    return dataset, {**faults, "rock/05.wav": "missing"}


def test_every_fault_is_named_and_nothing_else(planted: tuple) -> None:
    dataset, faults = planted
    found = check(dataset, workers=2)
    named = set(zip(found.findings["path"], found.findings["fault"], strict=True))
    assert named == {*faults.items(), ("jazz/one-sided.wav", "channels")}
    assert found.tracks == 67
    assert found.left_out == sum(fault in LEFT_OUT for fault in faults.values()) == 7
    assert found.seconds == pytest.approx(60 * SECONDS + 0.5 + 7 - 4 + 3 * SECONDS, abs=5)
    details = dict(zip(found.findings["path"], found.findings["detail"], strict=True))
    assert details["rock/short.wav"] == "0.50 s"
    assert details["rock/zero.wav"] == "is digital silence"
    assert details["jazz/near-silent.wav"] == "its loudest second is at -80 dBFS"
    assert details["jazz/rate.wav"] == "16000 Hz, most have 22050"
    assert details["jazz/channels.wav"] == "2, most have 1"
    assert details["jazz/duration.wav"] == "7.00 s, most have 4.00"
    lengths = table.load("mine").tracks.set_index("track_id")["duration"]
    assert lengths["rock/07.wav"] == SECONDS
    assert lengths["rock/short.wav"] == 0.5
    assert np.isnan(lengths["rock/empty.mp3"])
    written = pd.read_csv(dataset.folder / "check.csv")
    assert set(written["path"]) == set(faults)


def test_later_commands_obey_with_counts(planted: tuple) -> None:
    dataset, faults = planted
    assert usable(dataset)[1] == {}  # nothing was checked yet
    check(dataset)
    tracks, counts = usable(table.load("mine"))
    assert counts == {
        "missing": 1, "empty": 1, "undecodable": 1, "not numbers": 1, "too short": 1, "silent": 2,
    }  # fmt: skip
    assert list(tracks.index) == list(range(60))
    assert not set(tracks["path"]) & {path for path, fault in faults.items() if fault in LEFT_OUT}
    everything, none = usable(dataset, include_bad=True)
    assert len(everything) == 67
    assert none == {}


def test_remarks_can_be_left_out_too(planted: tuple) -> None:
    dataset, _ = planted
    found = check(dataset, also=["clipped", "rate"])
    assert found.left_out == 9
    assert usable(dataset)[1]["clipped"] == 1
    assert check(dataset).left_out == 7
    with pytest.raises(UsageError, match="No remark is named 'cliped'"):
        check(dataset, also=["cliped"])


def test_the_shortest_length_can_be_chosen(planted: tuple) -> None:
    dataset, _ = planted
    assert "too short" not in set(check(dataset, shortest=0.1).findings["fault"])
    with pytest.raises(UsageError, match="usable minimum length"):
        check(dataset, shortest=-1)


def test_a_mended_file_comes_back(planted: tuple) -> None:
    dataset, _ = planted
    check(dataset)
    write(dataset.root / "rock/short.wav", music(50, SECONDS))
    found = check(dataset)
    assert "rock/short.wav" not in set(found.findings["path"])
    assert "rock/short.wav" in set(usable(dataset)[0]["path"])


def test_rows_that_people_add_stay(planted: tuple) -> None:
    dataset, _ = planted
    check(dataset)
    with open(quarantine_file(dataset), "a") as file:
        file.write("jazz/07.wav,by hand,talks all the time\n")
    found = check(dataset)
    assert found.left_out == 8
    assert usable(dataset)[1]["by hand"] == 1


def test_lists_of_other_tracks_do_not_count() -> None:
    dataset = table.Dataset("x", rows(), Path("/"), {})
    table.save(dataset)
    row = pd.DataFrame({"track_id": ["gone"], "fault": ["silent"], "detail": [""]})
    quarantine(dataset, row, [])
    assert usable(dataset)[1] == {}
    assert len(usable(dataset)[0]) == len(dataset.tracks)


def test_a_dataset_of_bad_tracks_only_is_said(tmp_path: Path) -> None:
    dataset = table.Dataset("x", rows(), tmp_path, {})
    table.save(dataset)
    for path in dataset.paths():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert check(dataset, workers=1).left_out == len(dataset.tracks)
    with pytest.raises(MgcError, match="All 36 tracks of 'x' are quarantined"):
        usable(dataset)
    assert len(usable(dataset, include_bad=True)[0]) == 36


def test_a_disk_that_is_not_there_quarantines_nothing() -> None:
    dataset = table.Dataset("x", rows(), Path("/nowhere"), {})
    table.save(dataset)
    with pytest.raises(MgcError, match="None of the 36 files of 'x' exist") as caught:
        check(dataset)
    assert "/nowhere" in caught.value.hint
    assert usable(dataset)[1] == {}


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_a_damaged_list_is_said(content: bytes) -> None:
    dataset = table.Dataset("x", rows(), Path("/"), {})
    table.save(dataset)
    quarantine_file(dataset).write_bytes(content)
    with pytest.raises(MgcError, match=r"quarantine\.csv cannot be read"):
        quarantined(dataset)


def test_uneven_collections_get_no_remarks(tmp_path: Path) -> None:
    """Whole songs of all lengths and rates: no length is odd there."""
    paths = [
        write(tmp_path / f"{number}.wav", music(number, 2.0 + number, rate), rate)
        for number, rate in enumerate([8_000, 16_000, 22_050, 11_025])
    ]
    frame = rows(1, 2, 2).assign(path=[str(path) for path in paths])
    dataset = table.Dataset("x", frame, tmp_path, {})
    table.save(dataset)
    assert not len(check(dataset).findings)


def test_what_was_heard(tmp_path: Path) -> None:
    wave = music(1, 3.0)
    heard = listen(write(tmp_path / "a.wav", wave, subtype="FLOAT"))
    assert (heard.rate, heard.channels, heard.seconds) == (RATE, 1, 3.0)
    assert heard.peak == np.abs(wave).max()
    seconds = wave.reshape(3, RATE).astype(float)
    assert heard.loudest == pytest.approx(np.sqrt((seconds**2).mean(axis=1)).max(), rel=1e-5)
    assert heard.ceiling == np.mean(np.abs(wave) >= 0.995 * heard.peak)
    whole = (wave * 32767).astype(np.int16)
    same = listen(write(tmp_path / "b.flac", whole))
    again = listen(write(tmp_path / "c.wav", whole))
    assert same.samples == again.samples != heard.samples


@pytest.mark.parametrize("name", ["a.wav", "b.mp3"])
def test_long_files_are_heard_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    wave = music(1, 7.5)
    wave[6 * RATE] = 1.0  # the loudest sample comes late
    path = write(tmp_path / name, wave)
    whole = listen(path)
    monkeypatch.setattr("mgc.audio.decoding.BLOCK_SAMPLES", RATE)
    parts = listen(path)
    for value in ("seconds", "peak", "loudest", "quietest", "ceiling"):
        assert getattr(parts, value) == pytest.approx(getattr(whole, value), rel=0.01, abs=1e-4)
    if name == "a.wav":  # an mp3 decoder may lose the bits that a frame borrows across a block
        assert parts.samples == whole.samples
        assert np.array_equal(parts.codes, whole.codes)
    assert parts == listen(path)


def test_channels_are_measured_apart(tmp_path: Path) -> None:
    left = music(1, 3.0)
    heard = listen(write(tmp_path / "a.wav", np.stack([left, 0 * left], axis=1), subtype="FLOAT"))
    assert heard.peak == np.abs(left).max()
    assert heard.quietest == 0
    both = listen(write(tmp_path / "b.wav", np.stack([left, -left], axis=1), subtype="FLOAT"))
    assert both.loudest == 0  # the mix of the two is silence
    assert both.quietest == pytest.approx(np.sqrt(np.mean(left.astype(float) ** 2)), rel=1e-6)


def test_nothing_is_heard_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write(tmp_path / f"{number}.wav", music(number)) for number in range(3)]
    first = hear(paths, codes=True)
    asked: list[Path] = []

    def each(work, todo, workers, crashed):  # in this process, and counted
        asked.extend(todo)
        return [(path, work(path)) for path in todo]

    monkeypatch.setattr("mgc.audio.processes.each_path.each", each)
    again = hear(paths, codes=True)
    assert asked == []
    assert again == first == hear(paths)
    assert not len(hear(paths)[paths[0]].codes)
    assert all(np.array_equal(again[path].codes, first[path].codes) for path in paths)
    write(paths[1], music(7))
    hear(paths)
    assert asked == [paths[1]]
    monkeypatch.setattr(listening, "REVISION", 99)
    hear(paths)
    assert asked[1:] == paths


def test_a_stopped_check_keeps_what_was_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(tmp_path / f"{number}.wav", music(number)) for number in range(5)]

    def each(work, todo, workers, crashed):
        for path in todo[:3]:
            yield path, work(path)
        raise KeyboardInterrupt

    monkeypatch.setattr("mgc.audio.processes.each_path.each", each)
    with pytest.raises(KeyboardInterrupt):
        hear(paths)
    assert set(recall(paths)) == set(paths[:3])


def test_a_file_that_crashes_the_decoder_is_named_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = rows(1, 2, 2)
    for path in frame["path"]:
        write(tmp_path / path, music(1))
    dataset = table.Dataset("x", frame, tmp_path, {})
    table.save(dataset)

    def each(work, todo, workers, crashed):
        for number, path in enumerate(todo):
            yield path, crashed(path) if number == 2 else work(path)

    monkeypatch.setattr("mgc.audio.processes.each_path.each", each)
    found = check(dataset)
    assert list(found.findings["fault"]) == ["not read"]
    assert (found.left_out, found.usable) == (0, 3)
    assert "crashed" in found.findings["detail"][0]


def test_missing_files_are_not_remembered(tmp_path: Path) -> None:
    absent = tmp_path / "a.wav"
    assert "cannot be read" in hear([absent])[absent].problem
    write(absent, music(1))
    assert hear([absent])[absent].problem == ""


def test_the_store_is_plain(tmp_path: Path, home: Path) -> None:
    path = write(tmp_path / "a.wav", music(1))
    heard = hear([path], codes=True)[path]
    row = sqlite3.connect(home / "heard.sqlite").execute("SELECT * FROM contents").fetchone()
    assert json.loads(row[2])["seconds"] == heard.seconds == 2.0
    assert len(row[3]) == 4 * len(heard.codes)


def test_a_damaged_store_costs_time_only(tmp_path: Path, home: Path) -> None:
    path = write(tmp_path / "a.wav", music(1))
    home.mkdir(exist_ok=True)
    (home / "heard.sqlite").write_bytes(b"no database" * 100)
    assert hear([path])[path].problem == ""
    assert sqlite3.connect(home / "heard.sqlite").execute("SELECT * FROM contents").fetchone()


def test_faults_and_remarks_are_two_things() -> None:
    assert not set(LEFT_OUT) & set(REMARKS)
    assert ListeningResult().codes.dtype == np.uint32


def test_what_a_header_claims_wrongly_is_said_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    for number in range(6):
        write(folder / ("rock", "jazz")[number % 2] / f"{number}.wav", music(number, SECONDS))
    whole = (folder / "rock/0.wav").read_bytes()
    (folder / "rock/0.wav").write_bytes(whole[: len(whole) * 3 // 4])
    (folder / "rock/2.wav").write_bytes(whole + (folder / "rock/4.wav").read_bytes())
    dataset = add_path("mine", folder, group_by=None, seed=0, drop_rare=False)
    found = check(dataset)
    said = found.findings[found.findings["fault"] == "irregular"].set_index("path")["detail"]
    assert said["rock/0.wav"] == "the header claims 176 kB of sound, 132 kB are there"
    assert said["rock/2.wav"] == "2 recordings follow each other"
    assert len(said) == 2
    assert found.left_out == 0
    lengths = table.load("mine").tracks.set_index("track_id")["duration"]
    assert lengths["rock/0.wav"] == pytest.approx(0.75 * SECONDS, abs=0.01)
    assert lengths["rock/2.wav"] == 2 * SECONDS


def test_a_changed_row_of_the_list_is_named_and_people_s_rows_are_theirs(
    planted: tuple[table.Dataset, dict[str, str]],
) -> None:
    dataset, _ = planted
    path = quarantine_file(dataset)
    rows = pd.DataFrame([["t1", "silent", "no sound"]], columns=["track_id", "fault", "detail"])
    quarantine(dataset, rows, ["silent"])
    with open(path, "a") as file:
        file.write("t2,mine,I do not like it\n")
    assert list(quarantined(dataset)["track_id"]) == ["t1", "t2"]
    path.write_text(path.read_text().replace("mine", "ours"))
    assert list(quarantined(dataset)["fault"]) == ["silent", "ours"]
    path.write_text(path.read_text().replace("t1,", "t3,"))
    with pytest.raises(MgcError, match="the row of 't3' has changed") as caught:
        quarantined(dataset)
    assert "empty its last two columns" in caught.value.hint


def test_a_path_that_is_too_long_is_a_missing_file(mgc_home: Path, tmp_path: Path) -> None:
    names = [f"{genre}{number}.wav" for genre in ("rock", "jazz") for number in range(3)]
    for number, name in enumerate(names):
        write(tmp_path / name, music(number, SECONDS))
    listed = [*(f"{name},{name[:4]}" for name in names), f"{5_000 * 'x'}.wav,rock"]
    (tmp_path / "tracks.csv").write_text("\n".join(["path,genre", *listed]))
    asked = {"group_by": "none", "seed": 0, "drop_rare": False}
    dataset = add_path("d", tmp_path / "tracks.csv", **asked)
    check(dataset)
    assert quarantined(dataset)["fault"].tolist() == ["missing"]
