"""``mgc fit``, ``mgc runs``, ``mgc predict``: from a folder of music to a genre."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mgc import runs
from mgc.home import write_json


@pytest.fixture
def ready(mgc: Callable, music: Path) -> Callable:
    """The command line with a dataset ``m``."""
    assert mgc("data", "add", "m", music).code == 0
    return mgc


def test_fit_two_extractors_then_list_show_predict_and_remove(ready: Callable, music: Path) -> None:
    told = ready("fit", "--extractor", "mfcc", "--extractor", "chroma", "--head", "logistic")
    assert told.code == 0, told.err
    assert "m-mfcc-logistic-1" in told.out
    assert "m-chroma-logistic-1" in told.out
    listed = ready("runs", "list", "--json").json
    assert [run["label"] for run in listed] == ["mfcc · logistic", "chroma · logistic"]
    assert all(run["state"] == "finished" for run in listed)
    shown = ready("runs", "show", "m-mfcc-logistic-1")
    assert "to repeat: mgc fit --extractor mfcc --extractor chroma --head logistic" in shown.out
    assert "learnt from: training and validation tracks; a first fit, on the training" in shown.out
    song = next((music / "metal").rglob("*.wav"))
    [answer] = ready("predict", song, "--run", "m-mfcc-logistic-1", "--json").json
    assert answer["genre"] == "metal"
    assert sum(answer["probabilities"].values()) == pytest.approx(1.0)
    assert ready("runs", "remove", "m-mfcc-logistic-1").code == 0
    assert [run["name"] for run in ready("runs", "list", "--json").json] == ["m-chroma-logistic-1"]


def test_seeds_make_a_run_each(ready: Callable) -> None:
    told = ready("fit", "-e", "mfcc", "--head", "logistic", "--folds", "3", "--seeds", "2")
    assert told.code == 0, told.err
    found = ready("runs", "list", "--json").json
    assert [run["seed"] for run in found] == [0, 1]
    assert all(run["folds"] == 3 for run in found)


def test_a_fit_that_no_seed_changes_is_made_once_and_counts_at_each(ready: Callable) -> None:
    quick = ("--set", "epochs=1", "--set", "hidden=4", "--device", "cpu")
    told = ready("fit", "-e", "mfcc", "--head", "logistic", "--head", "mlp", "--seeds", "2", *quick)
    assert told.code == 0, told.err
    assert "logistic on a fixed split does not depend on the seed: fitted once" in told.err
    found = ready("runs", "list", "--json").json
    assert sorted((run["label"], run["seed"]) for run in found) == [
        ("mfcc · logistic", 0), ("mfcc · mlp", 0), ("mfcc · mlp", 1),
    ]  # fmt: skip
    told = ready("ensemble", "mean-probability")
    assert told.code == 0, told.err
    for seed in (0, 1):
        assert f"members (seed {seed}): m-mfcc-logistic-1, m-mfcc-mlp-{seed + 1}" in told.err
    rows = {row["name"]: row for row in ready("compare", "--json").json}
    assert {name: row["seeds"] for name, row in rows.items()} == {
        "mfcc · logistic": 1, "mfcc · mlp": 2, "mean-probability": 2,
    }  # fmt: skip
    assert rows["mfcc · logistic"]["seed_sd"] is None
    assert "(2 seeds)" in ready("compare").out


def test_the_default_head_is_said(ready: Callable) -> None:
    told = ready("fit", "-e", "mfcc", "--device", "cpu")
    assert "head: logistic (the default on cpu" in told.err


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["fit"], "Which extractor", "--extractor mfcc"),
        (["fit", "-e", "mfc"], "No extractor is named 'mfc'", "'mfcc'"),
        (["fit", "-e", "mfcc", "--head", "logistics"], "No head is named", "'logistic'"),
        (["fit", "-e", "mfcc", "--data", "x"], "No dataset is named 'x'", "mgc data list"),
        (["fit", "-e", "mfcc", "--set", "n_mfc=3"], "n_mfc", "'n_mfcc'"),
        (["fit", "-e", "mfcc", "--folds", "1"], "too few", "5 is usual"),
        (["fit", "-e", "mfcc", "--folds", "9"], "has only 5 artists", "--group-by none"),
        (["fit", "--resume", "x"], "No run is named 'x'", "mgc runs list"),
        (["predict", "nowhere.wav"], "does not exist", "Check"),
        (["runs", "show", "x"], "No run is named", "mgc runs list"),
        (["runs", "remove", "x"], "No run is named", "mgc runs list"),
    ],
)
def test_a_wrong_request_is_one_line_and_code_2(
    ready: Callable, words: list[str], message: str, hint: str
) -> None:
    told = ready(*words)
    assert told.code == 2
    assert message in told.err
    assert hint in told.err
    assert "Traceback" not in told.err
    assert ready("runs", "list", "--json").json == []


def test_predict_without_a_run_says_what_to_do(ready: Callable, music: Path) -> None:
    told = ready("predict", music)
    assert told.code == 1
    assert "Nothing has been trained here." in told.err
    assert "mgc fit" in told.err
    assert "mgc models get" in told.err


def test_predict_a_folder_with_bad_files(ready: Callable, music: Path, tmp_path: Path) -> None:
    assert ready("fit", "-e", "mfcc", "--head", "logistic").code == 0
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(next((music / "jazz").rglob("*.wav")), folder / "a [bold]song.wav")
    (folder / "broken.mp3").write_bytes(b"\xff\xfb nothing")
    (folder / "empty.flac").write_bytes(b"")
    told = ready("predict", folder, "--csv")
    assert told.code == 0
    rows = list(csv.DictReader(io.StringIO(told.out)))
    assert [row["genre"] != "" for row in rows] == [True, False, False]
    assert "a [bold]song.wav" in rows[0]["path"]
    assert "is empty" in rows[2]["error"]
    assert "2 files of 3 could not be used" in told.err
    told = ready("predict", folder / "empty.flac")
    assert told.code == 1
    assert "No file could be used" in told.err


def test_a_run_that_did_not_finish_says_how_to_go_on(ready: Callable, music: Path) -> None:
    assert ready("fit", "-e", "mfcc", "--head", "logistic").code == 0
    run = runs.load("m-mfcc-logistic-1")
    write_json(run.folder / "run.json", {**run.record, "state": "running"})
    told = ready("predict", music, "--run", run.name)
    assert told.code == 1
    assert f"mgc fit --resume {run.name}" in told.err
    told = ready("fit", "--resume", run.name)
    assert told.code == 0, told.err
    assert runs.load(run.name).finished


def test_tracking_offline_leaves_files_and_no_network(ready: Callable, mgc_home: Path) -> None:
    told = ready("fit", "-e", "mfcc", "--head", "logistic", "--track", "wandb")
    assert told.code == 0, told.err
    assert list((mgc_home / "tracking").rglob("*.wandb"))


def test_resume_takes_no_other_option(ready: Callable) -> None:
    assert ready("fit", "-e", "mfcc", "--head", "logistic").code == 0
    told = ready("fit", "--resume", "m-mfcc-logistic-1", "--set", "C=1")
    assert told.code == 2
    assert "takes no others" in told.err


def test_an_ensemble_is_not_resumed(ready: Callable) -> None:
    for name in ("mfcc", "chroma"):
        assert ready("fit", "-e", name, "--head", "logistic").code == 0
    assert ready("ensemble", "mean-probability").code == 0
    told = ready("fit", "--resume", "m-mean-probability-1")
    assert (told.code, "is an ensemble" in told.err) == (2, True)


def test_too_many_folds_are_refused_before_any_file_is_heard(
    ready: Callable, mgc_home: Path
) -> None:
    told = ready("fit", "-e", "mfcc", "--folds", "50")
    assert told.code == 2
    assert told.err.count("too few for") == 1
    assert "fewer folds" in told.err
    assert not (mgc_home / "features").exists()


@pytest.mark.parametrize(
    ("head", "setting", "said"),
    [
        ("logistic", "C=-1", "head logistic: C=-1 cannot be used"),
        ("cnn", "cnn.width=0", "head cnn: width=0 cannot be used"),
    ],
)
def test_a_bad_parameter_is_a_wrong_request(
    ready: Callable, head: str, setting: str, said: str
) -> None:
    told = ready("fit", "-e", "mfcc", "--head", head, "--set", setting)
    assert told.code == 2
    assert said in told.err


def test_a_run_without_one_of_its_folds_is_damaged(
    ready: Callable, mgc_home: Path, music: Path
) -> None:
    assert ready("fit", "-e", "mfcc", "--head", "logistic", "--folds", "3").code == 0
    shutil.rmtree(mgc_home / "runs" / "m-mfcc-logistic-1" / "fold-1")
    told = ready("predict", music, "--run", "m-mfcc-logistic-1")
    assert told.code == 1
    assert "is damaged: fold-1 is missing" in told.err


def test_a_head_that_fails_is_named_and_the_others_go_on(
    ready: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mgc.heads.svm import Svm

    monkeypatch.setattr(Svm, "predict_proba", lambda self, features: features[:, :2])
    told = ready("fit", "-e", "mfcc", "--head", "svm", "--head", "logistic")
    assert told.code == 1
    assert "mfcc · svm: Head 'svm' (mgc" in told.err
    assert "1 of 2 runs could not be made" in told.err
    assert "m-mfcc-logistic-1" in told.out
    states = {run["name"]: run["state"] for run in ready("runs", "list", "--json").json}
    assert states == {"m-mfcc-svm-1": "failed", "m-mfcc-logistic-1": "finished"}


def test_a_run_elsewhere_is_continued_there(
    ready: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ready("fit", "-e", "mfcc", "--head", "logistic", "--folds", "2").code == 0
    home = runs.load("m-mfcc-logistic-1")
    before = (home.folder / "run.json").read_bytes()
    elsewhere = Path(shutil.copytree(home.folder, tmp_path / "elsewhere" / home.name))
    record = {**home.record, "state": "running"}
    record.pop("metrics")
    write_json(elsewhere / "run.json", record)
    shutil.rmtree(elsewhere / "fold-1")
    told = ready("fit", "--resume", elsewhere)
    assert told.code == 0, told.err
    done = runs.load(str(elsewhere))
    assert done.finished
    assert done.scores == home.scores
    assert (home.folder / "run.json").read_bytes() == before


def test_a_continued_run_is_tracked_as_the_same_one(ready: Callable, mgc_home: Path) -> None:
    words = ("fit", "-e", "mfcc", "--head", "logistic", "--track", "wandb")
    assert ready(*words).code == 0
    run = runs.load("m-mfcc-logistic-1")
    record = {**run.record, "state": "running"}
    record.pop("metrics")
    write_json(run.folder / "run.json", record)
    told = ready(*words)
    assert told.code == 0, told.err
    assert f"Continuing run {run.name}" in told.err
    files = sorted((mgc_home / "tracking" / "wandb").glob("offline-run-*"))
    assert len(files) == 2
    assert {path.name.split("-")[3] for path in files} == {run.record["tracking"]["id"]}
    assert f"wandb sync {files[0]} {files[1]}" in told.err
