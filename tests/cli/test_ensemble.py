"""``mgc ensemble``, as a user types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mgc import __version__, runs
from mgc.datasets.importers import importing
from tests.ensembling.members import World, accuracy, answers, single, world


def three(made: World, seed: int = 0) -> list[str]:
    return [
        single(made, answers(made, 0.6, 10 * seed + i), name, seed).name
        for i, name in enumerate(("mel", "mfcc", "chroma"))
    ]


@pytest.fixture
def dataset(mgc_home: Path, music: Path) -> str:
    """A dataset called as the made-up runs say."""
    return importing.add_path("made-up", music, group_by=None, seed=0, drop_rare=False).name


def test_without_runs_each_seed_is_combined(mgc: Callable, dataset: str) -> None:
    for seed in range(2):
        three(world(), seed)
    told = mgc("ensemble", "mean-probability")
    assert told.code == 0, told.err
    assert "made-up-mean-probability-1" in told.out
    assert "made-up-mean-probability-2" in told.out
    assert "members (seed 1): made-up-mel-cnn-2, made-up-mfcc-cnn-2" in told.err
    assert [runs.load(f"made-up-mean-probability-{n}").record["seed"] for n in (1, 2)] == [0, 1]


def test_older_members_are_counted(mgc: Callable, dataset: str) -> None:
    three(world())
    newer = three(world())
    told = mgc("ensemble", "mean-probability")
    assert f"members (seed 0): {', '.join(newer)}" in told.err
    assert "Left out: 3 runs" in told.err
    assert "Left out" not in mgc("ensemble", "confidence", *newer).err


def test_all_of_them(mgc: Callable) -> None:
    names = three(world(tracks=200, artists=100))
    told = mgc("ensemble", "all", *names, "--json")
    assert told.code == 0, told.err
    found = {run["strategy"]["name"] for run in told.json}
    assert found >= {
        "majority-voting", "mean-probability", "confidence", "geometric-mean", "weighted",
        "greedy", "best-subset", "stacking", "embeddings", "auto",
    }  # fmt: skip
    for run in told.json:  # what makes it again, by itself
        assert run["command"] == ["mgc", "ensemble", run["strategy"]["name"], *names]
    assert len(mgc("strategies", "list", "--json").json) == len(found)


def test_calibration_is_shown(mgc: Callable) -> None:
    made = world(tracks=300, artists=100)
    names = [
        single(made, answers(made, 0.7, 0), "mel").name,
        single(made, answers(made, 0.5, 1, sharpness=10), "mfcc").name,
    ]
    told = mgc("ensemble", "mean-probability", *names, "--calibrate")
    assert told.code == 0, told.err
    header = next(line for line in told.out.splitlines() if line.startswith("calibrated"))
    assert "NLL before" in header
    assert "ECE before" in header
    line = next(line for line in told.out.splitlines() if line.startswith("made-up-mfcc-cnn-1"))
    _, temperature, nll_before, nll_after, *errors = line.split()
    ece_before, between, ece_after, _ = errors
    made = runs.load("made-up-mean-probability-1").record["calibration"]["members"]
    own = made["made-up-mfcc-cnn-1"]["before"]
    assert ece_before == f"{own['ece_corrected']:.3f}"
    assert between == f"({own['ece_low']:.2f}–{own['ece_high']:.2f})"
    assert float(temperature) > 2
    assert float(nll_after) < float(nll_before)
    assert float(ece_after) < float(ece_before)


def test_the_bound_is_the_librarys() -> None:
    from mgc.cli.commands.ensemble import MIN_OVERLAP
    from mgc.ensembling.combination import MIN_SHARE

    assert MIN_OVERLAP == MIN_SHARE


def test_search_looks_at_held_out_tracks(mgc: Callable) -> None:
    made = world(tracks=300, artists=100)
    names = [
        single(made, answers(made, right, i), name).name
        for i, (name, right) in enumerate((("mel", 0.7), ("mfcc", 0.7), ("chroma", 0.2)))
    ]
    told = mgc("ensemble", "search", *names)
    assert told.code == 0, told.err
    assert "7 subsets" in told.err
    best = next(line for line in told.err.splitlines() if "NLL" in line)
    assert best.endswith("mel · cnn, mfcc · cnn, chosen in 1 fold")
    run = runs.load("made-up-best-subset-1")
    assert run.record["strategy"]["learnt"] == {"0": {"chosen": [1.0, 1.0, 0.0]}}
    pair = mgc("ensemble", "mean-probability", *names[:2])
    assert pair.code == 0
    assert accuracy(run) == accuracy(runs.load("made-up-mean-probability-1"))


def test_tracks_that_some_runs_lack_are_told(mgc: Callable) -> None:
    made = world()
    first = single(made, answers(made, 0.6, 0), "mel")
    keep = made.table.index[made.table["track_id"] != "t0007"].to_numpy()
    second = single(made, answers(made, 0.6, 1), "mfcc", keep=keep)
    told = mgc("ensemble", "confidence", first.name, second.name)
    assert told.code == 0
    assert "119 of 120 tracks are in every member" in told.err


def test_parameters_go_to_the_strategies_that_have_them(mgc: Callable) -> None:
    names = three(world())
    told = mgc("ensemble", "stacking", *names, "--set", "penalty=7", "--json")
    assert told.json[0]["strategy"]["params"] == {"penalty": 7.0}
    assert told.json[0]["command"] == ["mgc", "ensemble", "stacking", *names, "--set", "penalty=7"]
    wrong = mgc("ensemble", "stacking", *names, "--set", "penalti=7")
    assert wrong.code == 2
    assert "No parameter of stacking is named 'penalti'" in wrong.err
    assert "'penalty'" in wrong.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["mean-probabilty", "made-up-mel-cnn-1", "made-up-mfcc-cnn-1"], 2, "'mean-probability'"),
        (["confidence", "made-up-mel-cnn-1"], 2, "at least two runs"),
        (["confidence", "made-up-mel-cnn-1", "made-up-mel-cnn-1"], 2, "named twice"),
        (["confidence", "made-up-mel-cnn-1", "made-up-mell-cnn-1"], 2, "'made-up-mel-cnn-1'"),
        (["confidence", "made-up-mel-cnn-1", "elsewhere-mel-cnn-1"], 2, "dataset"),
        (["confidence", "--data", "nothing"], 2, "No dataset is named 'nothing'"),
        (
            ["stacking", "made-up-mel-cnn-1", "made-up-mfcc-cnn-1", "--learn-from", "out-of-fold"],
            2,
            "nothing is out of fold",
        ),
    ],
)
def test_what_cannot_be_combined(mgc: Callable, words: list[str], code: int, said: str) -> None:
    three(world())
    single(World(world().table, name="elsewhere"), answers(world(), 0.6, 0))
    before = runs.names()
    told = mgc("ensemble", *words)
    assert told.code == code
    assert said in told.err
    assert "Traceback" not in told.err
    assert told.out == ""
    assert runs.names() == before


def test_auto_says_what_each_member_weighs(mgc: Callable) -> None:
    """Three members that are alike are mixed, one beside two that guess answers alone."""
    told = mgc("ensemble", "auto", *three(world(240, 80, folds=3)))
    assert told.code == 0, told.err
    assert "auto: weights mel · cnn 0." in told.err
    made = world(240, 80, folds=3, seed=1)
    shares = {"mel": 0.9, "mfcc": 0.25, "chroma": 0.25}
    names = [
        single(made, answers(made, s, i), n, 1).name for i, (n, s) in enumerate(shares.items())
    ]
    told = mgc("ensemble", "auto", *names)
    assert (
        "mel · cnn 1.00, mfcc · cnn 0.00, chroma · cnn 0.00; one member alone in 3 of 3" in told.err
    )
    assert "nothing is shown to be better than mel · cnn alone" in told.err
    told = mgc("ensemble", "mean-probability", *names)
    assert "mfcc · cnn, chroma · cnn: much weaker than the best member" in told.err
    assert "mgc ensemble auto" in told.err


def test_auto_is_the_default(mgc: Callable, dataset: str) -> None:
    names = three(world(240, 80, folds=3))
    told = mgc("ensemble", "--set", "pull=100", "--json")
    assert told.code == 0, told.err
    (made,) = told.json
    assert made["strategy"]["name"] == "auto"
    assert made["command"] == ["mgc", "ensemble", "auto", *names, "--set", "pull=100"]
    before = runs.names()
    told = mgc("ensemble", *names)
    assert told.code == 2
    assert f"'{names[0]}' is a run, not a strategy." in told.err
    assert f"Run: mgc ensemble auto {' '.join(names)}" in " ".join(told.err.split())
    assert runs.names() == before


@pytest.mark.parametrize(
    ("strategy", "warned"),
    [("stacking", True), ("weighted", True), ("best-subset", False), ("auto", False)],
)
def test_what_a_weak_member_may_harm_is_said(strategy: str, warned: bool, mgc: Callable) -> None:
    """Learning does not protect from it; only a strategy that gives it no weight is safe."""
    made = world(400, 200, folds=3)
    shares = {"mel": 0.7, "mfcc": 0.7, "chroma": 0.4}
    names = [single(made, answers(made, s, i), n).name for i, (n, s) in enumerate(shares.items())]
    told = mgc("ensemble", strategy, *names)
    assert told.code == 0, told.err
    said = f"chroma · cnn: much weaker than the best member, so {strategy} may lose to it."
    assert (said in told.err) == warned, told.err


@pytest.mark.parametrize("raised", [ValueError("odd"), SystemExit(0)])
def test_a_strategy_that_fails_is_named_and_the_others_go_on(
    raised: BaseException, mgc: Callable, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mgc.strategies.fixed import MeanProbability

    def combine(self: object, members: object) -> object:
        raise raised

    monkeypatch.setattr(MeanProbability, "combine", combine)
    three(world())
    told = mgc("ensemble", "all")
    assert told.code == 1
    named = f"'mean-probability' (mgc {__version__}) failed in combine: {type(raised).__name__}"
    assert named in told.err
    assert "made-up-majority-voting-1" in told.out
    assert "mean-probability" not in told.out


def test_what_could_not_be_checked_is_said(mgc: Callable, dataset: str) -> None:
    names = three(world())
    for words in (("ensemble", "mean-probability"), ("compare", *names)):
        told = mgc(*words)
        assert told.code == 0, told.err
        assert "Not checked: whether made-up-mfcc-cnn-1, made-up-chroma-cnn-1 heard" in told.err
