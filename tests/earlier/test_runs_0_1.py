"""Runs made by version 0.1.0 are read, listed and predict the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mgc import runs
from mgc.errors import MgcError
from mgc.plugins import registry
from mgc.prediction.model import Model
from mgc.runs import state
from tests.fixtures.make_clips import write_clips, write_whisper

KEPT = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
EXPECTED = json.loads((KEPT / "expected.json").read_text(encoding="utf-8"))["runs"]
#: Libraries and processors differ in the last bits of float32, by which a value that is stored as
#: float16 may become its neighbour: 0.03 dB in one of a thousand cells of these short clips.
ROUNDING = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("earlier")
    write_clips(made)
    write_whisper(made / "tiny-whisper")
    return made


@pytest.fixture
def runs_of_0_1(mgc_home: Path) -> Path:
    target = runs.runs_home()
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(KEPT, target, ignore=shutil.ignore_patterns("*.json.txt", "expected.json"))
    return target


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_run_predicts_what_it_did_then(
    name: str, folder: Path, runs_of_0_1: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = EXPECTED[name]
    there = {plugin.distribution for plugin in registry.catalogue().plugins}
    gone = {one for one in wanted["distributions"] if one != "mgc"} - there
    if gone:
        pytest.skip(f"it was made with {', '.join(sorted(gone))}, which is not installed")
    monkeypatch.chdir(folder)  # one run names its Whisper model by a relative path
    model = Model(runs.load_finished(name), "cpu")
    assert model.genres == wanted["genres"]
    for clip, probabilities in wanted["probabilities"].items():
        answer = list(model.predict(folder / clip).probabilities.values())
        assert np.abs(np.asarray(answer) - probabilities).max() < ROUNDING, clip


def test_every_run_is_listed_with_its_state(runs_of_0_1: Path) -> None:
    found, errors = runs.everything()
    assert not errors
    assert {run.name for run in found} == {path.name for path in KEPT.iterdir() if path.is_dir()}
    states = {run.name: state.state(run) for run in found}
    assert states.pop("tiny-mfcc-mlp-2") == "failed"
    assert states.pop("tiny-mel-cnn-2") == "interrupted"
    assert set(states.values()) == {"finished"}


def test_a_run_that_failed_says_why(runs_of_0_1: Path) -> None:
    with pytest.raises(MgcError, match="tiny-mfcc-mlp-2"):
        runs.load_finished("tiny-mfcc-mlp-2")
