"""A run is scored on another dataset, and what is not in the figures is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import soundfile

import mgc as package
from mgc import fitting, runs
from mgc.datasets import table
from mgc.datasets.importers import importing
from mgc.datasets.synthesis.compose import synthesise
from mgc.errors import MgcError
from mgc.evaluation.compare_text import ece
from mgc.evaluation.evaluate import evaluate, saved
from mgc.features.extraction import extract_tracks
from mgc.home import write_json
from mgc.prediction.model import Model
from mgc.runs.calibration_error import calibration_of_run
from mgc.runs.run_verification import verify
from tests.conftest import Told
from tests.fitting.test_fitting import asked

Call = Callable[..., Told]
THEIRS = MappingProxyType({"Ambient": "ambient", "Heavy": "metal", "polka": "jazz"})
MAP = '[genres]\nHeavy = "metal"\n'


def made(folder: Path, genres: Sequence[str] = tuple(THEIRS), artists: bool = True) -> Path:
    """Two tracks by each of three artists a genre, none of them in the fixture ``music``."""
    for name in genres:
        for number in range(6):
            path = folder / name / f"{name} {number // 2}" / f"{number}.wav"
            path = path if artists else path.parents[1] / path.name
            path.parent.mkdir(parents=True, exist_ok=True)
            wave = synthesise(THEIRS[name], 50 + number // 2, number, seconds=3.0)
            soundfile.write(path, wave, 22_050)
    return folder


@pytest.fixture
def run(mgc_home: Path, music: Path) -> runs.Run:
    importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
    return fitting.fit(asked(folds=3))


@pytest.fixture
def other(run: runs.Run, tmp_path: Path) -> table.Dataset:
    folder = made(tmp_path / "other")
    return importing.add_path("other", folder, group_by=None, seed=0, drop_rare=False)


def test_the_figures_are_those_of_predicting_the_files(run: runs.Run, other: table.Dataset) -> None:
    found = evaluate(run, other, {"Heavy": "metal"})
    assert found.genres == {"Ambient": "ambient", "Heavy": "metal"}
    assert found.without_counterpart == {"polka": 6}
    assert found.without_tracks == ["jazz"]
    kept = other.tracks["genre"].isin(["Ambient", "Heavy"])
    paths = [path for path, good in zip(other.paths(), kept, strict=True) if good]
    answers = [answer.genre for answer in Model(run).predict_many(paths, workers=1)]
    truth = other.tracks["genre"][kept].map(THEIRS)
    assert found.figures["accuracy"] == pytest.approx(np.mean(truth.to_numpy() == answers))
    assert (found.figures["tracks"], found.groups, found.unit) == (12, 6, "artists")
    assert found.figures["accuracy_low"] <= found.figures["accuracy"] + 1e-9
    assert found.heard_before == found.learnt == found.not_told == 0
    assert found.sets is not None
    assert found.sets["tracks"] == 12
    assert found.sets["share"] >= found.figures["accuracy"]  # the answer is in its set


def test_what_was_extracted_is_not_extracted_again_and_the_figures_are_kept(
    run: runs.Run, other: table.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = evaluate(run, other, {"Heavy": "metal"})
    monkeypatch.setattr(extract_tracks, "_where", lambda *_, **__: pytest.fail("extracts"))
    again = package.evaluate(run.name, "other", {"Heavy": "metal"}, device="cpu")
    assert again.figures == first.figures
    assert saved(run) == [again]
    assert verify(run).damaged == []
    path = run.folder / "evaluations" / "other.json"
    path.write_text(path.read_text().replace('"tracks": 12', '"tracks": 13', 1))
    assert saved(run) == []
    assert verify(run).damaged != []
    for lacking in ({"figures": {}}, {"sets": {"share": "all"}}, {"other": 1}):  # a stranger's
        write_json(path, {**again.as_dict(), **lacking})
        assert saved(run) == []


def test_tracks_of_the_run_itself_are_answered_by_the_folds_that_did_not_learn_from_them(
    run: runs.Run,
) -> None:
    found = evaluate(run, table.load("m"))
    assert found.heard_before == 30
    assert found.learnt == 0
    assert found.figures["confusion"] == run.scores["test"]["confusion"]
    for name, value in calibration_of_run(run).items():
        assert found.figures[name] == pytest.approx(value, abs=1e-4)
    assert found.sets is None
    assert "fitted on all" in found.no_sets


def test_tracks_that_every_model_learnt_from_are_left_out(run: runs.Run) -> None:
    single = fitting.fit(asked())
    found = evaluate(single, table.load("m"))
    assert found.learnt == (single.predictions["part"] != "test").sum()
    assert found.figures["confusion"] == single.scores["test"]["confusion"]


def test_files_that_fail_are_listed(run: runs.Run, other: table.Dataset) -> None:
    bad = other.paths()[0]
    bad.write_bytes(b"RIFF")
    found = evaluate(run, other, {"Heavy": "metal"})
    assert [failure["path"] for failure in found.failures] == [str(bad)]
    assert found.figures["tracks"] == 11


def test_a_dataset_without_artists_has_tracks_as_units(run: runs.Run, tmp_path: Path) -> None:
    folder = made(tmp_path / "plain", ["Ambient", "Heavy"], artists=False)
    plain = importing.add_path("plain", folder, group_by=None, seed=0, drop_rare=False)
    found = evaluate(run, plain, {"Heavy": "metal"})
    assert (found.groups, found.unit) == (12, "tracks")
    tracks = plain.tracks.assign(artist=["x", "y"] * 6)  # known, although its split ignores them
    found = evaluate(run, replace(plain, tracks=tracks), {"Heavy": "metal"})
    assert (found.groups, found.unit) == (2, "artists")


def test_the_command_says_what_it_left_out(
    mgc: Call, run: runs.Run, other: table.Dataset, tmp_path: Path
) -> None:
    (tmp_path / "map.toml").write_text(MAP)
    options = ("--data", "other", "--genre-map", tmp_path / "map.toml")
    told = mgc("evaluate", run.name, *options)
    assert told.code == 0
    assert f"{run.name} on other: accuracy" in told.out
    assert "12 tracks by 6 artists" in told.out
    assert "Left out: 6 tracks of genres that the run does not have: polka (6)." in told.err
    own = calibration_of_run(run)
    assert f"F1 {run.scores['test']['f1']:.3f}, ECE {ece(own)}" in told.out
    here = told.out
    told = mgc("evaluate", run.name, *options, "--json")
    figures = told.json["figures"]
    assert 0 <= figures["ece_low"] <= figures["ece_corrected"] <= figures["ece_high"] <= 1
    assert f"F1 {figures['f1']:.3f}, ECE {ece(figures)}, 12 tracks" in here
    assert told.json == json.loads(json.dumps(saved(run)[0].as_dict()))


def test_wrong_requests_are_refused_in_one_line(
    mgc: Call, run: runs.Run, other: table.Dataset, tmp_path: Path
) -> None:
    (tmp_path / "map.toml").write_text('[genres]\nHeavy = "mettal"\n')
    told = mgc("evaluate", run.name, "--data", "other", "--genre-map", tmp_path / "map.toml")
    assert (told.code, "No genre of the run is named 'mettal'" in told.err) == (2, True)
    told = mgc("evaluate", run.name, "--data", "nothing")
    assert (told.code, "No dataset is named 'nothing'" in told.err) == (2, True)
    told = mgc("evaluate", "nothing", "--data", "other")
    assert (told.code, "No run is named 'nothing'" in told.err) == (2, True)


def test_no_genre_in_common(run: runs.Run, tmp_path: Path) -> None:
    folder = made(tmp_path / "far", ["Heavy", "polka"])
    far = importing.add_path("far", folder, group_by=None, seed=0, drop_rare=False)
    with pytest.raises(MgcError, match="No genre is in both: Heavy, polka there"):
        evaluate(run, far)


def test_a_model_that_does_not_say_what_it_was_fitted_on(
    mgc: Call, run: runs.Run, other: table.Dataset
) -> None:
    (run.folder / runs.PREDICTIONS).unlink()  # as in a ready-made model
    told = mgc("evaluate", run.name, "--data", "other")
    assert told.code == 0
    assert f"Not checked: whether {run.name} was fitted on any of these tracks." in told.err
    assert "has no held-out tracks" in told.err
    assert "own test tracks" not in told.out


def test_music_that_the_encoder_was_trained_on_is_named(
    mgc: Call, run: runs.Run, tmp_path: Path
) -> None:
    folder = made(tmp_path / "theirs", ["Ambient", "Heavy"])
    importing.add_path("fma-clips", folder, group_by=None, seed=0, drop_rare=False)
    record = dict(run.record)
    knows = {**record["extractor"], "pretrained_on": ["FMA"]}
    write_json(run.folder / "run.json", record | {"extractor": knows})
    told = mgc("evaluate", run.name, "--data", "fma-clips", "--json")
    assert "was pre-trained on FMA, and fma-clips seems to be music of it" in told.err
