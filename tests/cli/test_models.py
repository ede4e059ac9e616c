"""``mgc models``, and what predicts before anything has been trained."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import mgc as public
from mgc import MgcError, ModelInfo, runs
from mgc.checks import runner
from mgc.datasets.importers import importing
from mgc.fitting import fit
from mgc.home import model_folder
from mgc.plugins import registry, validation
from tests.conftest import Told
from tests.fitting.test_fitting import asked

Call = Callable[..., Told]
HERE = "tests.cli.test_models"
made = Path()  # the run that `copy` copies


def copy(folder: Path, source: Path | None) -> None:
    """What a package does that brings a run of its author's."""
    shutil.copytree(source or made, folder, dirs_exist_ok=True)


def half(folder: Path, source: Path | None) -> None:
    """Stop half-way."""
    shutil.copy(made / "run.json", folder)
    raise ConnectionError("the line is cut")


@pytest.fixture
def declared(mgc_home: Path, music: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models of a package that is installed; their run was fitted in another home."""
    importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
    run = fit(asked())
    kept = shutil.move(run.folder, mgc_home.parent / "kept")
    shutil.rmtree(mgc_home)
    monkeypatch.setattr(f"{HERE}.made", Path(kept))
    genres = tuple(run.genres)
    infos = [
        ModelInfo(
            name=name, summary="ours", load=f"{HERE}:{load}", genres=of,
            licence="CC BY-NC 4.0", pretrained_on=("mine",), bytes=9,
        )
        for name, load, of in [
            ("ours", "copy", genres), ("cut", "half", genres), ("odd", "copy", ("a", "b")),
        ]
    ]  # fmt: skip
    entries = tuple(registry.Entry("model", info, "ours", "1.0") for info in infos)
    others = registry.catalogue().plugins
    one = registry.Plugin("ours", HERE, "ours", "1.0", entries)
    monkeypatch.setattr(registry, "catalogue", lambda: registry.Catalogue((*others, one)))
    return list(genres)


def test_a_model_answers_where_nothing_was_trained(
    declared: list[str], mgc: Call, music: Path
) -> None:
    song = next(music.rglob("*.wav"))
    listed = mgc("models", "list").out
    assert "not here: mgc models get ours" in listed
    assert "ours (weights: CC BY-NC 4.0: no commercial use; trained on mine) " in listed
    told = mgc("predict", song)
    assert (told.code, told.err.count("mgc models get cut")) == (1, 1)
    assert "not on this machine" in mgc("predict", song, "--run", "ours").err
    told = mgc("models", "get", "ours")
    assert told.code == 0
    assert f"ready, {len(declared)} genres" in told.out
    assert "ours: its weights are licensed CC BY-NC 4.0: no commercial use." in told.err
    (row,) = [r for r in mgc("models", "list", "--json").json if r["name"] == "ours"]
    assert (row["status"], row["licence"], row["genres"]) == ("ready", "CC BY-NC 4.0", declared)
    told = mgc("predict", song, "--jsonl")
    assert "ours (ready-made: nothing has been trained here)" in told.err
    (answer,) = map(json.loads, told.out.splitlines())
    assert set(answer["probabilities"]) == set(declared)
    named = public.load("ours", device="cpu").predict(song)
    assert named.probabilities == pytest.approx(answer["probabilities"])
    assert runs.names() == []
    for command in (["runs", "show", "ours"], ["compare", "ours"], ["ensemble", "auto", "ours"]):
        told = mgc(*command)
        assert told.code == 2
        assert "ours is a ready-made model" in told.err
        assert "Hint:  Score it: mgc evaluate ours --data DATASET" in told.err


def test_a_model_that_cannot_be_had_leaves_nothing(declared: list[str], mgc: Call) -> None:
    told = mgc("models", "get", "cut")
    assert told.code == 1
    assert "Model 'cut' (ours 1.0) failed in" in told.err
    assert "the line is cut" in told.err
    assert "writes a run of other genres" in mgc("models", "get", "odd").err
    mgc("models", "get", "ours")
    broken = model_folder("ours").parent.parent / "broken"
    shutil.copytree(made, broken)
    (broken / "run.json").write_text("{")
    assert mgc("models", "get", "ours", "--from", broken).code == 1
    assert [path.name for path in model_folder("ours").parent.iterdir()] == ["ours"]
    assert public.load("ours", device="cpu").genres == declared  # the one before
    (model_folder("ours") / "run.json").write_text("{")
    with pytest.raises(MgcError, match="damaged") as caught:
        public.load("ours")
    assert caught.value.hint == "Get it again: mgc models get ours"
    assert mgc("models", "get", "ours").code == 0
    told = mgc("models", "get", "our")
    assert (told.code, "Did you mean 'ours'?" in told.err) == (2, True)


def test_without_a_package_the_way_to_one_is_said(
    mgc_home: Path, mgc: Call, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = [p for p in registry.catalogue().plugins if p.distribution == "mgc"]
    monkeypatch.setattr(registry, "catalogue", lambda: registry.Catalogue(tuple(only)))
    told = mgc("predict", next(music.rglob("*.wav")))
    assert told.code == 1
    assert "pip install mgc-musicnn; mgc models get musicnn-msd" in told.err


@pytest.mark.parametrize(
    "genres", [(), ("rock",), ("rock", "rock"), ("rock", ""), ("rock", "pop", "pop")]
)
def test_genres_that_are_no_choice_are_refused(genres: tuple[str, ...]) -> None:
    info = ModelInfo(name="x", summary="x", load="x:x", genres=genres)
    with pytest.raises(MgcError, match="has genres="):
        validation.check("model", info, "x")
    validation.check("model", dataclasses.replace(info, genres=("rock", "pop")), "x")


def test_the_checks_find_what_is_wrong(declared: list[str], mgc: Call) -> None:
    (subject,) = runner.subjects("ours")
    verdicts = {o.check: o.verdict for o in runner.verdicts(subject)}
    assert (verdicts["function-loads"], verdicts["written-run"]) == ("passed", "skipped")
    mgc("models", "get", "ours")
    assert [o.verdict for o in runner.verdicts(subject, "written-run")] == ["passed"]
    info = dataclasses.replace(subject.info, genres=("a", "b"), load="json:loads", licence="")
    wrong = dataclasses.replace(subject, entry=dataclasses.replace(subject.entry, info=info))
    found = {o.check: o.mend for o in runner.verdicts(wrong) if o.verdict == "failed"}
    assert "(folder: Path, source: Path | None)" in found["function-loads"]
    assert "licence=" in found["origin"]
    assert "declare the genres of the run" in found["written-run"]


@pytest.mark.parametrize("name", ["{}/new", "../new", "new/../new"])
def test_a_path_is_no_name_and_nothing_is_written(
    name: str, mgc: Call, mgc_home: Path, tmp_path: Path
) -> None:
    told = mgc("models", "get", name.format(tmp_path))
    assert told.code == 2
    assert "No model is named" in told.err
    assert not [path for path in tmp_path.rglob("*") if "new" in path.name]
    assert not (mgc_home / "models").exists()
