"""``mgc data`` as a user types it: every command, its output, its errors."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from mgc import runs
from mgc.audio import decoding
from mgc.datasets import table
from mgc.datasets.quality.checking import LEFT_OUT
from mgc.home import write_json
from tests.conftest import Told
from tests.datasets.download.server import Behaviour, serving
from tests.datasets.importers.fma_layout import (
    GENRES,
    clip_name,
    row,
    write_checksums,
    write_tables,
    zip_folder,
)
from tests.datasets.quality.test_checking import plant

Mgc = Callable[..., Told]


@pytest.fixture
def mine(mgc: Mgc, music: Path) -> Mgc:
    """The command line, with the music of `music` as the dataset "mine"."""
    told = mgc("data", "add", "mine", music)
    assert told.code == 0, told.err
    return mgc


def test_add_says_what_came_of_it(mgc: Mgc, music: Path) -> None:
    told = mgc("data", "add", "mine", "--path", music)
    assert told.code == 0
    assert "Added mine: 30 tracks, 3 genres, grouped by artist." in told.out
    assert "mgc data check mine" in told.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine"], "Where is the music of 'mine'?"),
        (["mine", "nowhere"], "does not exist"),
        (["mine", ".", "--path", "."], "PATH is given twice"),
        (["mine", ".", "--metadata", "."], "--metadata can be used with fma-small"),
        (["mine", ".", "--artists", "a.csv"], "can be used with gtzan only"),
        (["fma-small"], "Where is the tree of fma-small?"),
        (["fma-small", "."], "holds no fma_small folder"),
        (["gtzan", "."], "does not look like GTZAN"),
        (["mine", ".", "--as", "My Music"], "is not a valid dataset name"),
    ],
)
def test_add_says_what_is_wrong(
    mgc: Mgc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    told = mgc("data", "add", *arguments)
    assert told.code == 2
    assert message in told.err
    assert "Hint:" in told.err
    assert "Traceback" not in told.err


def test_list_and_use_and_remove(mine: Mgc, music: Path) -> None:
    mine("data", "add", "yours", music, "--group-by", "none")
    assert [entry["name"] for entry in mine("data", "list", "--json").json] == ["mine", "yours"]
    assert mine("data", "show").code == 2
    assert mine("data", "use", "yours").code == 0
    assert "yours: 30 tracks" in mine("data", "show").out
    assert mine("data", "remove", "yours").code == 0
    assert "mine: 30 tracks" in mine("data", "show").out
    assert (music / "jazz").is_dir()
    assert mine("data", "remove", "yours").code == 2


def test_a_damaged_dataset_does_not_hide_the_others(mine: Mgc, mgc_home: Path) -> None:
    for name, text in (("bad", "{"), ("odd", "{}")):
        (mgc_home / "datasets" / name).mkdir()
        (mgc_home / "datasets" / name / "dataset.json").write_text(text)
    told = mine("data", "list", "--json")
    assert told.code == 0
    assert [entry["name"] for entry in told.json] == ["mine"]
    assert "Dataset 'bad' is damaged" in told.err
    assert "Dataset 'odd' is damaged" in told.err
    assert mine("data", "show", "odd").code == 1
    assert mine("data", "remove", "odd").code == 0


@pytest.mark.parametrize("record", ["missing", "pipe"])
def test_a_dataset_without_a_record_that_can_be_read_is_named(
    mine: Mgc, mgc_home: Path, record: str
) -> None:
    path = mgc_home / "datasets" / "mine" / "dataset.json"
    path.unlink()
    if record == "pipe":
        os.mkfifo(path)
    told = mine("data", "list", "--json")
    assert told.json == []
    assert "Dataset 'mine' is damaged" in told.err
    assert ("is missing" if record == "missing" else "not a regular file") in told.err
    assert "mgc data remove mine" in mine("data", "show").err
    assert mine("data", "remove", "mine").code == 0
    assert mine("data", "list").err == ""


def test_show_is_readable_and_complete(mine: Mgc) -> None:
    told = mine("data", "show", "mine")
    for text in (
        "30 tracks",
        "3 genres",
        "5 artists",
        "grouped by artist",
        "not checked yet",
        "█",
    ):
        assert text in told.out
    found = mine("data", "show", "mine", "--json").json
    assert found["tracks"] == 30
    assert found["genres"]["jazz"]["tracks"] == 10
    assert sum(found["splits"].values()) == 30
    mine("data", "check", "mine")
    told = mine("data", "show", "mine")
    assert "2 minutes" in told.out
    assert mine("data", "show", "mine", "--json").json["checked"] is True


def test_check_names_each_fault_and_fit_runs_on_the_rest(
    mgc: Mgc, music: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "music"
    shutil.copytree(music, folder)
    faults = plant(folder, 3.0)
    for path in faults:  # among the genres that are there
        target = folder / {"rock": "metal"}.get(path.split("/")[0], "jazz") / "artist-9"
        target.mkdir(exist_ok=True)
        (folder / path).rename(target / Path(path).name)
    shutil.rmtree(folder / "rock")
    mgc("data", "add", "mine", folder)
    told = mgc("data", "check", "mine")
    assert told.code == 0
    for path, fault in faults.items():
        assert f"{Path(path).name}: {fault}" in told.out
    bad = sum(fault in LEFT_OUT for fault in faults.values())
    assert f"{41 - bad} of 41 tracks can be used" in told.out
    found = mgc("data", "check", "mine", "--json").json
    assert found["usable"] == 41 - bad
    named = {(Path(item["path"]).name, item["fault"]) for item in found["findings"]}
    assert named >= {(Path(path).name, fault) for path, fault in faults.items()}
    assert len(named) == len(faults) + 1  # the one-sided file has another number of channels too
    told = mgc("fit", "--extractor", "mfcc", "--head", "logistic", "--folds", "3", "--data", "mine")
    assert told.code == 0, told.err
    row = mgc("compare", "--json").json[0]
    assert row["tracks"] == 41 - bad


def test_audit_finds_copies_and_fixes_leaks(mgc: Mgc, music: Path, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    shutil.copytree(music, folder)
    for path in folder.rglob("*.wav"):  # fingerprints need more than three seconds
        wave, rate = decoding.decode(path)
        soundfile.write(path, list(wave) * 3, rate)
    wave, rate = decoding.decode(folder / "jazz" / "artist-0" / "0.wav")
    (folder / "metal" / "copyist").mkdir()
    soundfile.write(folder / "metal" / "copyist" / "0.mp3", wave[rate // 2 :] * 0.7, rate)
    mgc("data", "add", "mine", folder, "--group-by", "none")
    told = mgc("data", "audit", "mine")
    assert told.code == 0
    assert "jazz/artist-0/0.wav" in told.out
    assert "Not clean" in told.out
    assert "mgc data audit mine --fix" in told.out
    found = mgc("data", "audit", "mine", "--json").json
    assert ["jazz/artist-0/0.wav", "metal/copyist/0.mp3"] in [
        [pair["first"], pair["second"]] for pair in found["copies"]
    ]
    assert found["leaks"][0]["by"] == "artist"
    assert found["leaks"][0]["groups"] > 0
    assert found["label_errors"] is None
    told = mgc("data", "audit", "mine", "--fix", "--group-by", "artist")
    assert "Wrote the split 'clean' and switched to it" in told.out
    assert mgc("data", "audit", "mine", "--json").json["clean"] is True
    told = mgc("data", "split", "mine", "--use", "first")
    assert told.code == 0
    assert mgc("data", "audit", "mine", "--json").json["clean"] is False


def test_audit_warns_of_encoders_that_know_the_music(mgc: Mgc, music: Path) -> None:
    mgc("data", "add", "magna-mine", music)
    mgc("fit", "--extractor", "mfcc", "--head", "logistic")
    assert "pre-trained" not in mgc("data", "audit").out
    run = runs.load("magna-mine-mfcc-logistic-1")
    raw = dict(run.record)
    knows = {**raw["extractor"], "pretrained_on": ["MagnaTagATune", "web audio (not listed)"]}
    write_json(run.folder / "run.json", raw | {"extractor": knows})
    said = "mfcc was pre-trained on MagnaTagATune, and magna-mine seems to be music of it"
    assert mgc("data", "audit").out.count(said) == 1
    assert [said in line for line in mgc("data", "audit", "--json").json["warnings"]].count(True)


def test_audit_shows_label_errors_after_a_fit(mine: Mgc, music: Path) -> None:
    assert "Likely label errors: shown once there is a run" in mine("data", "audit").err
    mine("fit", "--extractor", "mfcc", "--head", "logistic", "--folds", "3")
    found = mine("data", "audit", "--json").json
    assert found["label_errors_from"].startswith("mine-mfcc")
    assert isinstance(found["label_errors"], list)
    assert "(confident learning)" in mine("data", "audit").out
    known = table.load("mine")
    turned = known.tracks["genre"].replace({"jazz": "metal", "metal": "jazz"})
    table.save(replace(known, tracks=known.tracks.assign(genre=turned)))
    now = dict(zip(known.tracks["track_id"], turned, strict=True))
    suspects = mine("data", "audit", "--json").json["label_errors"]
    assert {now[row["track_id"]] for row in suspects} >= {"jazz", "metal"}
    assert all(row["genre"] == now[row["track_id"]] for row in suspects)
    mine("data", "add", "other", music)
    told = mine("data", "audit", "other", "--run", found["label_errors_from"])
    assert told.code == 2
    assert "is on 'mine', not on 'other'" in told.err
    assert mine("data", "audit", "mine", "--run", "nothing").code == 2


def test_splits_are_made_listed_and_taken_back(mine: Mgc, tmp_path: Path) -> None:
    told = mine("data", "split", "mine", "--seed", "4", "--as", "other")
    assert told.code == 0
    found = mine("data", "split", "mine", "--list", "--json").json
    assert [(entry["name"], entry["in_use"]) for entry in found["splits"]] == [
        ("first", False), ("other", True),
    ]  # fmt: skip
    assert "artist-0" in mine("data", "split", "mine").out
    assert mine("data", "split", "mine", "--use", "first").code == 0
    told = mine("data", "split", "mine", "--use", "frist")
    assert told.code == 2
    assert "'first'" in told.err
    assert mine("data", "split", "mine", "--list", "--use", "first").code == 2
    (tmp_path / "theirs.csv").write_text("track_id,split\njazz/artist-0/0.wav,test\n")
    told = mine("data", "split", "mine", "--from", tmp_path / "theirs.csv")
    assert told.code == 0
    assert "theirs: test 1" in told.out


def test_export_can_be_added_again(mine: Mgc, tmp_path: Path) -> None:
    told = mine("data", "export", "mine", tmp_path / "out.csv")
    assert "Wrote 30 tracks" in told.out
    assert len(pd.read_csv(tmp_path / "out.csv")) == 30
    assert mine("data", "export", "mine", tmp_path / "out.csv").code == 2
    assert mine("data", "export", "mine", tmp_path / "out.csv", "--force").code == 0
    assert mine("data", "export", "mine", tmp_path / "out.xls").code == 2
    assert mine("data", "add", "again", tmp_path / "out.csv").code == 0
    one, other = (mine("data", "show", name, "--json").json for name in ("mine", "again"))
    assert one["genres"] == other["genres"]
    assert one["splits"] == other["splits"]


@pytest.fixture
def fma_zips(tmp_path: Path, music: Path) -> tuple[Path, list[str]]:
    """A folder with FMA's two zips (30 clips, 3 genres), and the options that name their SHA-1."""
    genres = dict(zip(("ambient", "jazz", "metal"), GENRES, strict=False))
    rows = []
    for number, path in enumerate(sorted(music.rglob("*.wav")), start=2):
        genre = genres[path.relative_to(music).parts[0]]
        artist = number // 2
        rows.append(
            row(
                number,
                set_split=("training", "training", "training", "validation", "test")[artist % 5],
                set_subset="small",
                artist_id=artist,
                artist_name=f"Band {artist}",
                album_id=-1,
                track_genre_top=genre,
                track_genres=[GENRES[genre]],
                track_duration=3,
            )
        )
        clip = tmp_path / "fma_small" / clip_name(number)
        clip.parent.mkdir(parents=True, exist_ok=True)
        wave, rate = decoding.decode(path)
        soundfile.write(clip, wave, rate, format="MP3")
    write_checksums(tmp_path / "fma_small")
    write_tables(tmp_path / "fma_metadata", rows)
    (tmp_path / "www").mkdir()
    options = []
    for name in ("fma_small", "fma_metadata"):
        code = zip_folder(tmp_path / name, tmp_path / "www" / f"{name}.zip")
        options += ["--sha1", f"{name}.zip={code}"]
    return tmp_path / "www", options


def test_download_verifies_and_adds(
    mgc: Mgc, fma_zips: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sha1 = fma_zips
    with serving(folder) as server:
        size = (folder / "fma_small.zip").stat().st_size
        server.script = [Behaviour(), *[Behaviour(drop=size // 4) for _ in range(3)]]
        told = mgc(
            "data", "download", "fma-small", "--url", server.url, "--to", tmp_path / "to", *sha1
        )
        assert told.code == 0, told.err
        assert "All of fma-small is in" in told.out
        assert "Added fma-small: 30 tracks, 3 genres, grouped by artist." in told.out
        assert told.err.count("the connection broke; resuming at") == 3
        assert server.bytes_of("fma_small.zip") == size
        again = mgc("data", "download", "fma-small", "--url", server.url, "--to", tmp_path / "to")
        assert again.code == 0
        assert server.bytes_of("fma_small.zip") == size
    assert mgc("data", "show", "--json").json["split"]["made"] == "the official one"
    told = mgc("data", "add", "fma-small", "--path", tmp_path / "to", "--as", "other")
    assert told.code == 0
    assert mgc("fit", "--extractor", "mfcc", "--head", "logistic", "--data", "fma-small").code == 0


def test_download_goes_home_and_is_found_there(mgc: Mgc, fma_zips: tuple[Path, list[str]]) -> None:
    folder, sha1 = fma_zips
    assert mgc("data", "download", "fma-small", "--from", folder, *sha1).code == 0
    assert mgc("data", "remove", "fma-small").code == 0
    assert mgc("data", "add", "fma-small").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fma-tiny"], 2, "No dataset to fetch is named 'fma-tiny'"),
        (["gtzan"], 2, "GTZAN's own host is gone"),
        (["fma-small", "--sha1", "x"], 2, "is not NAME.zip=SHA1"),
        (["fma-small", "--from", "absent.zip"], 2, "does not exist"),
        (["fma-small", "--url", "nonsense"], 1, "is not a valid URL"),
    ],
)
def test_download_says_what_is_wrong(
    mgc: Mgc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int,
    message: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("mgc.datasets.download.verified_files.RESERVE", -(10**15))
    told = mgc("data", "download", *arguments, "--to", tmp_path / "to")
    assert told.code == code
    assert message in told.err
    assert "Hint:" in told.err


def test_json_is_json_everywhere(mine: Mgc) -> None:
    for arguments in (["list"], ["show"], ["check"], ["audit"], ["split", "--list"]):
        told = mine("data", *arguments, "--json")
        assert told.code == 0
        json.loads(told.out)


def test_a_track_whose_name_is_no_utf8_is_unknown(mine: Mgc) -> None:
    told = mine("features", "compare", "\udcff.mp3")
    assert told.code == 2
    assert "No file, and no track of dataset 'mine', is named" in told.err
