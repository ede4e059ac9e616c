"""Checksums of runs: what changes is named, by whoever reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mgc import runs
from mgc.ensembling.combination import EnsembleRequest, StrategySpec
from mgc.ensembling.ensemble_runs import ensemble
from mgc.errors import MgcError
from mgc.home import FILES, OWN, read_json, write_json
from mgc.runs import state
from mgc.runs.run_verification import verify
from mgc.training.fitted_head import restore_head
from tests.ensembling.members import answers, single, world


def flip(path: Path, place: float = 0.5) -> None:
    """Change one bit, in a new file: a run's files may be links."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.unlink()
    path.write_bytes(content)


@pytest.fixture
def fitted(mgc: Callable, music: Path) -> runs.Run:
    """A run with two folds' heads."""
    assert mgc("data", "add", "m", music).code == 0
    assert mgc("fit", "-e", "mfcc", "--head", "logistic", "--folds", "2").code == 0
    return runs.load("m-mfcc-logistic-1")


def test_every_file_of_a_run_is_verified_and_a_changed_one_is_named(
    fitted: runs.Run, mgc: Callable, music: Path
) -> None:
    assert vars(verify(fitted)) == {"verified": 12, "unverified": [], "damaged": []}
    names = ["predictions.parquet", "embeddings.safetensors", "fold-1/estimator.safetensors"]
    for name in [*names, "fold-0/pooling.safetensors", "fold-0/head.json"]:
        kept = (fitted.folder / name).read_bytes()
        flip(fitted.folder / name)
        (line,) = verify(fitted).damaged
        assert name in line
        (fitted.folder / name).write_bytes(kept)
    assert verify(fitted).damaged == []
    (fitted.folder / "fold-1").rename(fitted.folder / "gone")
    (line,) = verify(fitted).damaged
    assert line == f"{fitted.folder / 'fold-1' / 'head.json'} is missing."
    (fitted.folder / "gone").rename(fitted.folder / "fold-1")
    flip(fitted.folder / "fold-0" / "pooling.safetensors")
    told = mgc("predict", next(music.rglob("*.wav")), "--run", fitted.name)
    assert told.code == 1
    assert (
        "Run 'm-mfcc-logistic-1' is damaged: "
        "fold-0/pooling.safetensors has changed since it was written." in told.err
    )
    told = mgc("runs", "verify", "--json")
    assert told.code == 1
    assert told.json[0]["damaged"] == [
        "fold-0/pooling.safetensors has changed since it was written"
    ]


def test_an_edited_record_is_named_and_what_mgc_rewrites_is_not(fitted: runs.Run) -> None:
    state.fail(fitted, "Something.")
    assert runs.load(fitted.name).record.problem == "Something."
    write_json(fitted.folder / "run.json", {**fitted.record})
    elsewhere = fitted.folder.parent / "copy"
    shutil.copytree(fitted.folder, elsewhere)
    assert verify(runs.load("copy")).damaged == []
    assert len(runs.load("copy").predictions) == len(fitted.predictions)
    text = (fitted.folder / "run.json").read_text()
    (fitted.folder / "run.json").write_text(json.dumps(json.loads(text)))  # other spaces
    assert dict(runs.load(fitted.name).record) == dict(fitted.record)
    (fitted.folder / "run.json").write_text(text.replace('"accuracy": ', '"accuracy": 1'))
    with pytest.raises(MgcError, match=r"is damaged.*has changed since it was written"):
        runs.load(fitted.name)


def test_a_run_without_checksums_is_read_counted_and_given_them(fitted: runs.Run) -> None:
    records = [fitted.folder / "run.json", *fitted.folder.glob("fold-*/head.json")]
    for path in records:
        kept = {key: value for key, value in read_json(path).items() if key not in (OWN, FILES)}
        path.write_text(json.dumps(kept))
    run = runs.load(fitted.name)
    assert len(run.predictions)
    restore_head(run.folder / "fold-0", "cpu")
    found = verify(run)
    assert (found.verified, len(found.unverified), found.damaged) == (0, 12, [])
    assert verify(run, add=True).unverified == []
    assert vars(verify(run)) == {"verified": 12, "unverified": [], "damaged": []}
    flip(run.folder / "fold-0" / "estimator.safetensors")
    with pytest.raises(MgcError, match=r"fold-0/estimator\.safetensors has changed"):
        restore_head(run.folder / "fold-0", "cpu")


def test_a_member_s_damage_is_the_ensemble_s(mgc_home: Path) -> None:
    made = world()
    members = [single(made, answers(made, 0.6, number), f"e{number}") for number in range(2)]
    stacked = ensemble(EnsembleRequest(StrategySpec("stacking")), members)
    assert verify(stacked).damaged == []
    member = next((stacked.folder / "members").iterdir())
    flip(member / "predictions.parquet")
    assert verify(stacked).damaged == [
        f"members/{member.name}/predictions.parquet has changed since it was written"
    ]
    with pytest.raises(MgcError, match=f"Run {stacked.name!r} is damaged: members/"):
        _ = runs.load(str(member)).predictions
