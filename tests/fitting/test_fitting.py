"""From a dataset to a finished run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mgc import fitting, resolve, runs
from mgc.audio.clip_policy import ClipPolicy
from mgc.datasets import quarantine, table
from mgc.datasets.importers import importing
from mgc.errors import MgcError, UsageError
from mgc.fitting import fit_run
from mgc.fitting.prepared import Prepared
from mgc.fitting.request import describe
from mgc.home import write_json
from mgc.plugins import registry
from mgc.plugins.contract import ExtractorInfo
from mgc.progress import Silent
from mgc.runs import models
from mgc.runs.reference import load_reference
from mgc.training.fit import held_out_answers


def asked(extractor: str = "mfcc", head: str = "logistic", **changed: object) -> fitting.FitRequest:
    wanted = {
        "data": None,
        "extractors": [extractor],
        "heads": [head],
        "folds": 0,
        "seeds": [0],
        "assignments": [],
        "clip_seconds": None,
        "clips_per_track": None,
        "device": "cpu",
        "command": ["mgc", "fit"],
    }
    return fitting.requests(**{**wanted, **changed})[0]  # type: ignore[arg-type]


@pytest.fixture
def dataset(mgc_home: Path, music: Path) -> table.Dataset:
    return importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)


def test_a_run_holds_what_was_asked_and_how_good_it_is(dataset: table.Dataset) -> None:
    run = runs.load(fitting.fit(asked()).name)
    record = run.record
    assert run.name == "m-mfcc-logistic-1"
    assert record["state"] == "finished"
    assert record["dataset"]["group_by"] == "artist"
    assert record["extractor"]["identity"]["params"]["n_mfcc"] == 40
    assert record["head"]["params"]["C"] > 0
    assert record["command"] == ["mgc", "fit"]
    predictions = run.predictions
    assert set(predictions["part"]) == {"training", "validation", "test"}
    assert len(predictions) == len(dataset.tracks)
    assert len(run.embeddings) == len(predictions)
    np.testing.assert_allclose(run.probabilities(predictions).sum(axis=1), 1.0, atol=1e-6)
    test = run.rows("test")
    hits = (run.probabilities(test).argmax(axis=1) == run.truth(test)).mean()
    assert record["metrics"]["test"]["accuracy"] == pytest.approx(hits)
    assert record["metrics"]["test"]["tracks"] == len(test)


def test_folds_score_every_track_once_and_keep_artists_apart(dataset: table.Dataset) -> None:
    run = fitting.fit(asked(folds=3))
    test = run.rows("test")
    assert sorted(test["track_id"]) == sorted(dataset.tracks["track_id"])
    assert len(list(run.folder.glob("fold-*"))) == 3
    for _, fold in run.predictions.groupby("fold"):
        artists = {part: set(rows["artist"]) for part, rows in fold.groupby("part")}
        assert not artists["test"] & (artists["training"] | artists["validation"])
        assert not artists["training"] & artists["validation"]


@pytest.mark.parametrize("head", ["logistic", "cnn"])
def test_the_same_seed_gives_the_same_run(dataset: table.Dataset, head: str) -> None:
    settings = ["epochs=2"] if head == "cnn" else []
    one, other = (fitting.fit(asked(head=head, assignments=settings)) for _ in range(2))
    assert one.record["metrics"] == other.record["metrics"]
    np.testing.assert_array_equal(
        one.probabilities(one.predictions), other.probabilities(other.predictions)
    )


def test_bad_files_are_left_out_listed_and_counted(
    mgc_home: Path, music: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(music, folder)
    bad = folder / "jazz" / "artist-0" / "0.wav"
    bad.write_bytes(b"not audio at all")
    importing.add_path("m", folder, group_by=None, seed=0, drop_rare=False)
    run = fitting.fit(asked())
    assert [failure["path"] for failure in run.record["failures"]] == [str(bad)]
    assert run.record["dataset"]["tracks"] == len(run.predictions) == 29
    assert str(bad) not in set(run.predictions["path"])


def test_nothing_usable_is_an_error_that_names_a_file(mgc_home: Path, tmp_path: Path) -> None:
    for genre in ("a", "b"):
        for number in range(5):
            path = tmp_path / "bad" / genre / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"nothing")
    importing.add_path("m", tmp_path / "bad", group_by=None, seed=0, drop_rare=False)
    with pytest.raises(MgcError, match=r"None of the 10 files.*\.wav"):
        fitting.fit(asked())


def test_a_head_that_cannot_take_the_feature_is_refused_before_audio(
    dataset: table.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = registry.find("extractor", "mfcc")
    vector = ExtractorInfo(
        name="mfcc",
        summary="",
        load=entry.info.load,
        sample_rate=22_050,
        hop_samples=512,
        kind="vector",
    )
    changed = registry.Entry("extractor", vector, "mgc", "0")
    real = registry.find
    monkeypatch.setattr(
        registry, "find", lambda kind, name: changed if kind == "extractor" else real(kind, name)
    )
    monkeypatch.setattr("mgc.fitting.prepared.extract", lambda *_: pytest.fail("audio was opened"))
    with pytest.raises(UsageError, match="takes sequence features"):
        asked(head="cnn")


def test_an_interrupted_run_goes_on(
    dataset: table.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitting.fit(asked(head="cnn", folds=3, assignments=["epochs=2"]))
    real, calls = fit_run.fit_head, []

    def stopping(*arguments: object, **named: object) -> object:
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(named["folder"])
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(fit_run, "fit_head", stopping)
    with pytest.raises(KeyboardInterrupt):
        fitting.fit(asked(head="cnn", folds=3, assignments=["epochs=2"]))
    monkeypatch.setattr(fit_run, "fit_head", real)
    stopped = runs.load("m-mfcc-cnn-2")
    assert not stopped.finished
    done = fitting.resume(stopped.name, Silent())
    assert done.finished
    np.testing.assert_allclose(
        done.probabilities(done.predictions), whole.probabilities(whole.predictions), atol=1e-6
    )
    assert fitting.resume(stopped.name, Silent()).record == done.record


@pytest.mark.parametrize("folds", [0, 3])
def test_validation_rows_are_answered_by_a_fit_that_had_not_learnt_from_them(
    dataset: table.Dataset, folds: int
) -> None:
    run = fitting.fit(asked(folds=folds))
    assert run.record.learns == ["training", "validation"]
    for number, rows in run.predictions.groupby("fold"):
        folder = run.folder / f"fold-{number}"
        answers = held_out_answers(folder)
        assert answers is not None
        stored = run.probabilities(rows[rows["part"] == "validation"])
        np.testing.assert_allclose(stored, answers, atol=1e-7)
    again = {**run.record, "state": "running", "identity": run.record.identity}
    write_json(run.folder / "run.json", again)
    done = fitting.resume(run.name, Silent())
    np.testing.assert_array_equal(
        done.probabilities(done.predictions), run.probabilities(run.predictions)
    )
    learnt = run.predictions.loc[run.predictions["part"].isin(run.record.learns), "audio"]
    reference = load_reference(run)
    assert reference is not None
    assert all(reference.has_learnt_from(key) for key in learnt)


def test_a_run_begun_before_validation_tracks_were_learnt_from_is_not_continued(
    dataset: table.Dataset,
) -> None:
    whole = fitting.fit(asked())
    kept = {name: value for name, value in whole.record.identity.items() if name != "learning"}
    write_json(whole.folder / "run.json", {**whole.record, "state": "running", "identity": kept})
    with pytest.raises(MgcError, match="its learning cannot be checked"):
        fitting.resume(whole.name, Silent())
    assert fitting.fit(asked()).name != whole.name


def test_resume_refuses_a_dataset_that_has_changed(dataset: table.Dataset) -> None:
    request = asked()
    ready = Prepared(dataset, request.source, np.ones(len(dataset.tracks), bool), [])
    run = runs.start("x", describe(request, ready))
    fewer = dataset.tracks.iloc[1:].reset_index(drop=True)
    table.save(table.Dataset("m", fewer, dataset.root, dataset.record))
    with pytest.raises(MgcError, match="has changed"):
        fitting.resume(run.name, Silent())


def test_a_missing_plug_in_says_which_package_to_install(dataset: table.Dataset) -> None:
    run = fitting.fit(asked())
    record = {
        **run.record,
        "extractor": {
            **run.record["extractor"],
            "name": "gone",
            "distribution": "mgc-gone",
            "version": "1.2",
        },
    }
    with pytest.raises(MgcError, match=r"mgc-gone 1\.2") as caught:
        models.load_source(runs.Run(run.folder, record))
    assert caught.value.hint == "Install it: pip install mgc-gone"


def test_failures_leave_every_part_of_the_folds() -> None:
    tracks = pd.DataFrame(
        {
            "track_id": list("abcdef"),
            "path": [f"{i}.wav" for i in range(6)],
            "genre": list("xyxyxy"),
            "split": ["training"] * 3 + ["validation"] + ["test"] * 2,
            "artist": "",
        }
    )
    data = table.Dataset("d", tracks, Path("/r"))
    source = resolve.sources(["mfcc"], [], ClipPolicy(), "cpu")[0]
    good = np.array([True, False, True, True, True, True])
    ready = Prepared(data, source, good, [])
    assert ready.kept["track_id"].tolist() == list("acdef")
    [fold] = ready.folds(0, seed=0)
    assert [part.tolist() for part in (fold.training, fold.validation, fold.test)] == [
        [0, 1],
        [2],
        [3, 4],
    ]
    good = np.array([True, True, True, False, True, True])
    with pytest.raises(MgcError, match="validation part of fold 1"):
        Prepared(data, source, good, []).folds(0, seed=0)


def test_quarantined_tracks_are_left_out_and_counted(
    dataset: table.Dataset, mgc_home: Path
) -> None:
    first = dataset.tracks["track_id"].iloc[0]
    rows = pd.DataFrame({"track_id": [first], "fault": ["silent"], "detail": ["-90 dB"]})
    quarantine.quarantine(dataset, rows, ["silent"])
    run = fitting.fit(asked())
    assert run.record["dataset"]["quarantined"] == {"silent": 1}
    assert first not in set(run.predictions["track_id"])
    everything = fitting.fit(asked(include_bad=True))
    assert first in set(everything.predictions["track_id"])


def test_a_genre_that_loses_its_training_files_is_remarked(
    dataset: table.Dataset, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = dataset.tracks.query("genre == 'jazz' and split == 'training'")["path"]
    assert len(lost)
    shutil.copytree(music, tmp_path / "music")
    for path in lost:
        (tmp_path / "music" / path).write_bytes(b"no audio")
    said: list[str] = []
    progress = Silent()
    monkeypatch.setattr(progress, "say", said.append)
    request = replace(asked(), dataset=replace(dataset, root=tmp_path / "music"))
    run = fitting.fit(request, progress)
    [remark] = run.record.dataset.doubts
    assert remark.startswith("The split has no training track of jazz, but is tested on ")
    assert [line for line in said if "tested on" in line] == [
        f"Note, as some tracks cannot be used: {remark}"
    ]


def test_other_weights_than_in_training_are_refused(dataset: table.Dataset) -> None:
    run = fitting.fit(asked())
    identity = {**run.record["extractor"]["identity"], "weights": "0123 bf16"}
    record = {**run.record, "extractor": {**run.record["extractor"], "identity": identity}}
    with pytest.raises(MgcError, match="different weights"):
        models.load_source(runs.Run(run.folder, record))
