"""Which run answers if none is named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mgc import runs
from mgc.datasets.importers import importing
from mgc.ensembling.combination import EnsembleRequest, StrategySpec
from mgc.ensembling.ensemble_runs import ensemble
from mgc.evaluation.compare import compare
from mgc.evaluation.systems import systems
from mgc.home import write_json
from mgc.runs import answering as answering_module
from mgc.runs import identity
from mgc.runs.answering import _scored as scored
from mgc.runs.answering import answering
from tests.ensembling.members import World, answers, single, world


def chosen() -> tuple[str, str]:
    found = answering(runs.everything()[0], "made-up")
    assert found is not None
    return found.run.name, found.reason


def combined(strategy: str, members: list[runs.Run], **options: object) -> runs.Run:
    request = EnsembleRequest(StrategySpec(strategy), **options)  # type: ignore[arg-type]
    return ensemble(request, members)


def three(made: World, right: float = 0.6) -> list[runs.Run]:
    return [
        single(made, answers(made, right, number), name)
        for number, name in enumerate(("mel", "mfcc", "chroma"))
    ]


def test_nothing_answers_without_a_finished_run(mgc_home: Path) -> None:
    assert answering([], "made-up") is None
    single(world(), answers(world(), 0.5, 0))
    assert answering(runs.everything()[0], "another") is None


def test_out_of_fold_tracks_come_first(mgc_home: Path) -> None:
    single(world(), answers(world(), 0.95, 0), "mel")
    folded = world(folds=3)
    single(folded, answers(folded, 0.4, 1), "mfcc")
    best = single(folded, answers(folded, 0.6, 2), "chroma")
    name, reason = chosen()
    assert name == best.name
    assert "120 out-of-fold tracks; the best of 2" in reason


def test_the_test_split_never_chooses(mgc_home: Path) -> None:
    made = world(tracks=400, artists=200)
    good, poor = answers(made, 0.95, 0), answers(made, 0.3, 1)
    test = made.where("test")[:, None]
    watched = single(made, np.where(test, poor, good), "mel")  # good on validation only
    single(made, np.where(test, good, poor), "mfcc")  # perfect on the test split only
    name, reason = chosen()
    assert name == watched.name
    assert "validation tracks" in reason


@pytest.mark.parametrize("strategy", ["stacking", "weighted", "embeddings"])
def test_what_learnt_from_validation_is_not_ranked_by_it(mgc_home: Path, strategy: str) -> None:
    made = world(tracks=800, artists=400)
    members = three(made)
    learnt = combined(strategy, members)
    calibrated = combined("mean-probability", members, calibrate=True)
    for ensembled in (learnt, calibrated):
        assert chosen()[0] != ensembled.name
    record = {**learnt.record["metrics"]["validation"], "accuracy": 1.0}
    runs.write_json(
        learnt.folder / "run.json",
        {**learnt.record, "metrics": {**learnt.record["metrics"], "validation": record}},
    )
    assert chosen()[0] in {member.name for member in members}


def test_an_ensemble_must_be_shown_to_be_better(mgc_home: Path) -> None:
    folded = world(tracks=800, artists=800, folds=3)
    members = three(folded)
    better = combined("mean-probability", members)
    name, reason = chosen()
    assert name == better.name
    assert "the best of 4" in reason
    [row] = [r for r in compare(systems([*members, better])).rows if r["kind"] == "ensemble"]
    assert row["p"] < 0.05


def test_one_that_is_not_leaves_the_single_run(mgc_home: Path) -> None:
    folded = world(tracks=60, artists=60, folds=3)
    members = three(folded)
    best = max(members, key=lambda run: run.record["metrics"]["test"]["accuracy"])
    made = combined("mean-probability", members)
    figure = made.record["metrics"]["test"]["accuracy"]
    assert figure > best.record["metrics"]["test"]["accuracy"]
    name, reason = chosen()
    assert name == best.name
    assert f"{made.name} is not as simple and not shown to be better (p = " in reason


def test_under_fifty_tracks_the_simpler_is_taken(mgc_home: Path) -> None:
    folded = world(tracks=48, artists=48, folds=3)
    good = answers(folded, 1.0, 9)
    members = three(folded, 0.2)
    table = folded.table
    strong = combined("mean-probability", members)
    runs.finish(
        strong,
        table.assign(**{runs.PREFIX + g: good[:, i] for i, g in enumerate(folded.genres)}),
        np.zeros((len(table), 1)),
        {"metrics": {"test": {**strong.record["metrics"]["test"], "accuracy": 1.0}}},
    )
    name, reason = chosen()
    assert name in {member.name for member in members}
    assert "too few tracks" in reason


def test_equal_figures_give_the_newest_and_only_the_newest_of_a_label_counts(
    mgc_home: Path,
) -> None:
    folded = world(folds=3)
    single(folded, answers(folded, 0.9, 0), "mel")
    same = answers(folded, 0.5, 1)
    single(folded, same, "mel")
    newest = single(folded, same, "mfcc")
    assert chosen()[0] == newest.name


def test_other_genres_do_not_count(mgc_home: Path) -> None:
    old = world(folds=3)
    old = World(old.table.replace({"genre": {"rock": "pop"}}), genres=("blues", "jazz", "pop"))
    single(old, answers(old, 0.99, 0), "chroma")
    folded = world(folds=3)
    new = single(folded, answers(folded, 0.4, 0), "mel")
    assert chosen()[0] == new.name


def test_choosing_loads_no_pandas(mgc_home: Path) -> None:
    import subprocess

    folded = world(tracks=400, artists=400, folds=3)
    combined("mean-probability", three(folded))
    code = (
        "import sys; from mgc import runs; from mgc.runs.answering import answering; "
        "print(answering(runs.everything()[0], 'made-up').run.name); "
        "print([m for m in ('pandas', 'sklearn', 'torch', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"


@pytest.fixture
def home(mgc: Callable, music: Path) -> Callable:
    """A home with 5-fold runs of two seeds, single-split runs and one that is unfinished."""
    importing.add_path("made-up", music, group_by=None, seed=0, drop_rare=False)
    three(world())
    single(world(), answers(world(), 0.8, 3), "mel")  # newer than the other
    for seed in range(2):
        made = world(tracks=400, artists=400, folds=5, seed=seed)
        folded = World(made.table, split=f"split {seed}")
        for number, name in enumerate(("mel", "mfcc")):
            single(folded, answers(folded, 0.5 + 0.2 * number, 7 * seed + number), name, seed)
    only = World(made.table, split="split 1")
    single(only, answers(only, 0.5, 3), "chroma", 1)
    runs.start("made-up-mel-cnn", {**runs.load("made-up-mel-cnn-1").record, "state": "running"})
    return mgc


def test_compare_says_what_it_took_and_left_out(home: Callable) -> None:
    told = home("compare")
    assert told.code == 0, told.err
    assert "Left out: 4 with a single split (--folds 0); 1 unfinished (mgc runs list)." in told.err
    assert "In the figures, not in the tests: made-up-mel-cnn-3, made-up-mfcc-cnn-2" in told.err
    taken, _ = chosen()
    assert f"● mgc predict takes {taken}: " in told.err
    [marked] = [line for line in told.out.splitlines() if "●" in line]
    assert f"{taken} ●" in marked
    rows = home("compare", "--json").json
    assert [row["name"] for row in rows if row["answers"]] == ["mfcc · cnn"]
    single_split = home("compare", "--folds", "0")
    assert "5 with 5 folds (--folds 5)" in single_split.err
    assert "1 older, of the same label and seed (--all)" in single_split.err
    assert f"● mgc predict takes {taken}, which is not in this table" in single_split.err
    every = home("compare", "--folds", "0", "--all", "--json")
    assert len(every.json) == 4
    assert "older" not in every.err
    none = home("compare", "--folds", "3")
    assert none.code == 2
    assert "Available: --folds 0 or --folds 5." in none.err
    both = home("compare", "made-up-mel-cnn-1", "--all")
    assert both.code == 2


def test_report_says_what_it_took_and_left_out(home: Callable, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    told = home("report", "--picture", "none", "-o", page, "--folds", "0")
    assert told.code == 0, told.err
    assert "Reported: made-up-mfcc-cnn-1, made-up-chroma-cnn-1, made-up-mel-cnn-2" in told.err
    assert "5 with 5 folds (--folds 5)" in told.err
    assert "made-up-mel-cnn-2" in page.read_text()


def test_predict_says_which_run_and_why(
    home: Callable, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = home("predict", next(music.rglob("*.wav")))  # made-up runs cannot really answer
    taken, reason = chosen()
    assert f"run: {taken} (mfcc · cnn on made-up: {reason})" in told.err
    assert "out-of-fold" in reason


def test_the_demo_is_said_to_be_one(mgc: Callable, mgc_home: Path, music: Path) -> None:
    made = World(world(folds=3).table, name="demo")
    single(made, answers(made, 0.5, 0))
    folder = mgc_home / "datasets" / "demo"
    folder.mkdir(parents=True)
    record = {"name": "demo", "importer": "demo", "tracks": 1}
    runs.write_json(folder / "dataset.json", record)
    song = next(music.rglob("*.wav"))
    assert "its runs know synthesised music only" in mgc("predict", song).err
    assert "synthesised" not in mgc("predict", song, "--data", "demo").err


def test_only_predictions_that_can_decide_are_read(
    mgc_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world()
    found = [single(made, answers(made, 0.3 + n / 20, n), f"e{n}") for n in range(12)]
    labels = identity.identity(tracks=made.table["track_id"].tolist(), labels=["same"])
    for run in found:
        write_json(run.folder / "run.json", {**run.record, "identity": labels})
    best = max(found, key=lambda run: run.scores["validation"]["accuracy"])
    read = []
    monkeypatch.setattr(
        answering_module, "_scored", lambda run, part: read.append(run.name) or scored(run, part)
    )
    name, reason = chosen()
    assert name == best.name
    assert "the best of 12" in reason
    assert set(read) == {best.name, found[-1].name}
