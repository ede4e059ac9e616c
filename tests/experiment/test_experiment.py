"""Experiments: the file, what is done already, and the table beside published figures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc import datasets, fitting, runs
from mgc.errors import MgcError, UsageError
from mgc.evaluation.compare import compare
from mgc.evaluation.systems import systems
from mgc.experiment.plan import read_plan
from mgc.experiment.published import compare_published, markdown
from mgc.experiment.study import COMMAND, ensure_dataset, perform, requests, steps
from mgc.progress import Silent

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = """
name = "small"
dataset = "m"
path = "{music}"
folds = 2
seeds = [0, 1]
extractors = ["mfcc", "chroma"]
heads = ["logistic"]
strategies = ["majority-voting", "stacking"]
calibrated = ["mean-probability"]

[settings]
logistic.C = 0.1
mfcc.n_mfcc = 13

[strategy.stacking]
penalty = 9.0

[[published]]
name = "MFCC"
row = "mfcc · logistic"
accuracy = 39
protocol = "not | stated"

[[published]]
name = "someone else's"
accuracy = 61.5
"""


@pytest.fixture
def file(mgc_home: Path, tmp_path: Path, music: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL.format(music=music))
    return path


def names(found: list[runs.Run]) -> list[str]:
    return sorted(run.name for run in found)


def test_all_is_done_once(file: Path) -> None:
    plan = read_plan(file)
    done = perform(plan, [*COMMAND, "small.toml"])
    assert not done.failures
    found = runs.everything()[0]
    assert names(list(done.runs)) == names(found)
    assert sorted({run.label for run in found}) == [
        "chroma · logistic", "majority-voting", "mean-probability", "mfcc · logistic", "stacking",
    ]  # fmt: skip
    assert len(found) == 10  # 5 of each seed
    by_label = {run.label: run for run in found if run.record["seed"] == 1}
    assert by_label["mfcc · logistic"].record["extractor"]["identity"]["params"]["n_mfcc"] == 13
    assert by_label["mfcc · logistic"].record["head"]["params"]["C"] == 0.1
    assert by_label["stacking"].record["strategy"]["params"] == {"penalty": 9.0}
    assert by_label["mean-probability"].record["strategy"]["calibrate"]
    again = perform(plan, [*COMMAND, "small.toml"])
    assert names(list(again.runs)) == names(found) == names(runs.everything()[0])


def test_runs_made_by_hand_are_taken_and_others_are_not(file: Path) -> None:
    plan = read_plan(file)
    perform(plan, COMMAND)
    found = runs.everything()[0]
    wanted = requests(plan, [])
    assert [step.state for step in steps(wanted, found)] == ["done"] * 4
    changed = file.read_text().replace("n_mfcc = 13", "n_mfcc = 14")
    file.write_text(changed)
    states = {(s.name, s.seed): s.state for s in steps(requests(read_plan(file), []), found)}
    assert states["chroma · logistic", 0] == "done"
    assert states["mfcc · logistic", 0] == "to do"


def test_what_was_begun_is_gone_on_with(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the second fold of the third fit, and in an ensemble: the same figures."""
    plan = read_plan(file)
    whole = {r["name"]: r for r in _table(perform(plan, COMMAND).runs)}
    for name in runs.names():
        runs.remove(name)
    from mgc.fitting import fit_run

    calls: list[int] = []
    real = fit_run.fit_head

    def stopping(*arguments: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(fit_run, "fit_head", stopping)
    with pytest.raises(KeyboardInterrupt):
        perform(plan, COMMAND)
    monkeypatch.setattr(fit_run, "fit_head", real)
    begun = [run for run in runs.everything()[0] if not run.finished]
    assert len(begun) == 1
    cut_short = runs.start(
        "m-stacking", {"kind": "ensemble", "command": list(COMMAND),
                       "dataset": {"name": "m", "genres": []},
                       "strategy": {"name": "stacking"}, "members": []}
    )  # fmt: skip
    done = perform(plan, COMMAND)
    assert begun[0].name in [run.name for run in done.runs]
    assert cut_short.name not in [r.name for r in runs.everything()[0] if not r.finished]
    assert {r["name"]: r["accuracy"] for r in _table(done.runs)} == {
        name: row["accuracy"] for name, row in whole.items()
    }


def test_a_run_of_another_command_is_left_alone(file: Path) -> None:
    plan = read_plan(file)
    perform(plan, COMMAND)
    one = next(run for run in runs.everything()[0] if run.kind == "single")
    record = {**one.record, "state": "running", "command": ["mgc", "fit"]}
    (one.folder / "run.json").write_text(json.dumps(record))
    found = runs.everything()[0]
    assert [s.state for s in steps(requests(plan, []), found)].count("to do") == 1


def test_a_failed_fit_does_not_stop_the_others(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mgc.experiment import study

    real = fitting.fit

    def failing(request: fitting.FitRequest, *rest: object) -> runs.Run:
        if request.source.name == "chroma" and request.seed == 1:
            raise MgcError("It is out of tune.", "Tune it.")
        return real(request, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(study.fitting, "fit", failing)
    done = perform(read_plan(file), COMMAND)
    assert [name for name, _ in done.failures] == ["chroma · logistic, seed 1"]
    seeds = [run.record["seed"] for run in done.runs if run.kind == "ensemble"]
    assert seeds == [0, 0, 0]


def _table(found: object) -> list[dict[str, object]]:
    return list(compare(systems(found), resamples=100).rows)  # type: ignore[arg-type]


def test_beside_published_figures(file: Path) -> None:
    plan = read_plan(file)
    made = compare(systems(perform(plan, COMMAND).runs), resamples=100)
    lines = compare_published(plan, made)
    assert [line.published.name for line in lines[:2] if line.published] == [
        "MFCC", "someone else's",
    ]  # fmt: skip
    first, second = lines[:2]
    assert first.row is not None
    assert first.difference == pytest.approx(100 * first.row["accuracy"] - 39)
    assert second.row is None
    assert second.difference is None
    assert len(lines) == 2 + 4
    table = markdown(lines)
    assert all(line.replace("\\|", "").count("|") == 9 for line in table)
    assert "not \\| stated" in table[2]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("folds = 2", "folds = ", "is not valid TOML"),
        ("folds = 2", 'folds = "two"', "folds"),
        ("folds = 2", "fold = 2", "'folds'"),
        ("seeds = [0, 1]", "seeds = []", "seeds is empty"),
        ('["mfcc", "chroma"]', '["mfcc", "cromah"]', "'chroma'"),
        ('["logistic"]', '["logistik"]', "'logistic'"),
        ('"stacking"]', '"staking"]', "'stacking'"),
        ("[strategy.stacking]", "[strategy.staking]", "'stacking'"),
        ('["mfcc", "chroma"]', '["mfcc"]', "only one model"),
        ('name = "small"', 'name = "../up"', "is not a valid dataset name"),
        ("accuracy = 39", 'accuracy = "high"', "accuracy"),
        ("folds = 2", 'names = {severals = "first"}', "'several'"),
        ("folds = 2", 'names = {several = "frist"}', "names.several"),
        ("folds = 2", "names = 1", "names"),
        ('path = "', 'learn_from = "test"\npath = "', "held-out"),
    ],
)
def test_a_file_that_cannot_be(file: Path, before: str, after: str, said: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    with pytest.raises(UsageError) as caught:
        read_plan(file)
    assert said in f"{caught.value.message} {caught.value.hint}"
    assert not runs.names()


def test_a_published_row_must_be_there(file: Path) -> None:
    file.write_text(file.read_text().replace('row = "mfcc · logistic"', 'row = "mfcc · cnn"'))
    with pytest.raises(UsageError, match="No row of this experiment is named 'mfcc · cnn'"):
        perform(read_plan(file), COMMAND)


def test_a_dataset_that_nobody_can_make(file: Path) -> None:
    text = "\n".join(line for line in file.read_text().splitlines() if not line.startswith("path"))
    file.write_text(text.replace('dataset = "m"', 'dataset = "fma-small"'))
    with pytest.raises(UsageError, match="needs the dataset 'fma-small'") as caught:
        perform(read_plan(file), COMMAND)
    assert caught.value.hint == "Run: mgc data download fma-small"


def test_music_is_added_with_names_from_tags(file: Path, tmp_path: Path) -> None:
    for number in range(6):
        with soundfile.SoundFile(tmp_path / f"{number}.flac", "w", 22_050, 1) as music:
            music.genre, music.artist = ("jazz; bebop", "rock")[number % 2], f"artist {number}"
            music.write(np.zeros(22_050))
    text = file.read_text().replace("folds = 2", 'names = {genre_from = "tag", several = "first"}')
    file.write_text(re.sub('path = ".*"', f'path = "{tmp_path}"', text))
    ensure_dataset(read_plan(file), Silent())
    tracks = datasets.load("m").tracks
    assert tracks["genre"].value_counts().to_dict() == {"jazz": 3, "rock": 3}
    assert tracks["artist"].nunique() == 6


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.toml does not exist"):
        read_plan(tmp_path / "nothing.toml")


def test_the_examples_can_be_read(mgc_home: Path) -> None:
    demo, fma = read_plan(EXAMPLES / "demo.toml"), read_plan(EXAMPLES / "fma_small.toml")
    assert demo.assignments == ["mfcc.n_mfcc=40", "logistic.C=0.03"]
    assert set(demo.strategies) == set(fma.strategies)
    rows = fma.rows(fma.heads)
    theirs = {one.name: one.accuracy for one in fma.published if one.row}
    assert theirs == {
        "spectrogram": 55, "MFCC": 39, "chroma": 41, "Whisper": 47,
        "embeddings": 20, "majority voting": 57, "higher mean probability": 49, "confidence": 57,
    }  # fmt: skip
    assert all(one.row in rows for one in fma.published if one.row)
