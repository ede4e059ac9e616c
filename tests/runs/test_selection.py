"""Which runs a name means, and which stand side by side without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgc import runs
from mgc.ensembling.combination import EnsembleRequest, StrategySpec
from mgc.ensembling.ensemble_runs import ensemble
from mgc.errors import UsageError
from mgc.runs import selection
from tests.ensembling.members import World, answers, single, world


def three(made: World) -> list[runs.Run]:
    names = ("mel", "mfcc", "chroma")
    return [single(made, answers(made, 0.6, i), name) for i, name in enumerate(names)]


@pytest.fixture
def made(mgc_home: Path) -> list[runs.Run]:
    """Two stackings, a calibrated mean, and their members."""
    members = three(world())
    for name, calibrate in (("stacking", False), ("stacking", False), ("mean-probability", True)):
        ensemble(EnsembleRequest(StrategySpec(name), calibrate), members)
    return members


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("stacking", "made-up-stacking-2"),
        ("made-up-stacking-1", "made-up-stacking-1"),
        ("mel · cnn", "made-up-mel-cnn-1"),
        ("mel·cnn", "made-up-mel-cnn-1"),
        ("MEL cnn", "made-up-mel-cnn-1"),
        ("chroma", "made-up-chroma-cnn-1"),
        ("mean-probability", "made-up-mean-probability-1"),
        ("mean-probability, calibrated", "made-up-mean-probability-1"),
    ],
)
def test_a_name_or_a_label_is_enough(made: list[runs.Run], name: str, meant: str) -> None:
    assert selection.one(name).name == meant
    assert selection.one(name, "made-up").name == meant
    assert [run.name for run in selection.chosen([name, name])] == [meant]


def test_unknown_and_ambiguous_names_give_the_nearest(made: list[runs.Run]) -> None:
    with pytest.raises(UsageError, match=r"No run is named 'stackign'") as caught:
        selection.one("stackign")
    assert "'stacking'" in caught.value.hint
    with pytest.raises(UsageError, match="'cnn' may be chroma · cnn or mel · cnn or mfcc · cnn"):
        selection.one("cnn")
    with pytest.raises(UsageError, match="no finished run 'stacking' on other") as caught:
        selection.one("stacking", "other")
    assert "--data made-up" in caught.value.hint


def test_an_unfinished_run_is_never_meant_by_its_label(made: list[runs.Run]) -> None:
    runs.start("made-up-mel-cnn", {**made[0].record, "state": "running"})
    assert selection.one("mel · cnn").name == made[0].name


def test_what_is_left_out_is_counted(mgc_home: Path) -> None:
    three(world())
    folded = world(folds=3)
    three(World(folded.table, split="older"))
    newest = three(folded)
    again = single(folded, answers(folded, 0.6, 5), "mel")
    runs.start("made-up-mel-cnn", {**newest[0].record, "state": "running"})
    found, _ = runs.everything()
    taken = selection.comparable(found, "made-up")
    assert [run.name for run in taken.runs] == [newest[1].name, newest[2].name, again.name]
    assert taken.left_out == {
        "with a single split (--folds 0)": 3,
        "with an older division into splits (--all)": 3,
        "older, of the same label and seed (--all)": 1,
        "unfinished (mgc runs list)": 1,
    }
    assert len(taken.runs) + sum(taken.left_out.values()) == len(found)
    every = selection.comparable(found, "made-up", every=True)
    assert len(every.runs) == 7
    single_split = selection.comparable(found, "made-up", folds=0)
    assert {run.record["dataset"]["folds"] for run in single_split.runs} == {0}
    assert selection.comparable(newest, "made-up").said() == ""
    with pytest.raises(UsageError, match="with 7 folds"):
        selection.comparable(found, "made-up", folds=7)


def test_what_repeats_a_run_names_its_dataset(made: list[runs.Run]) -> None:
    run = made[0]
    assert selection.repeat_command(run) == ["mgc", "fit", "--data", "made-up"]

    def of(*words: str) -> list[str]:
        return selection.repeat_command(runs.Run(run.folder, {**run.record, "command": words}))

    assert of("mgc", "fit", "--data=x") == ["mgc", "fit", "--data=x"]
    assert of("mgc", "demo") == ["mgc", "demo"]
    assert of("mgc", "ensemble", "stacking", "a", "b")[-2:] == ["--data", "made-up"]
    assert of() == []
