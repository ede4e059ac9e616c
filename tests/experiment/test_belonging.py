"""Kind of change × command: what no longer belongs together is refused, or made again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from mgc import fitting, runs
from mgc.datasets import table
from mgc.datasets.importers import importing
from mgc.ensembling.combination import EnsembleRequest, StrategySpec
from mgc.ensembling.ensemble_runs import ensemble
from mgc.errors import MgcError
from mgc.evaluation.systems import systems
from mgc.experiment.study import steps
from mgc.extractors.mel import Mfcc, MfccParams
from mgc.fitting import fit_run, request
from mgc.home import write_json
from mgc.plugins import registry
from mgc.prediction.model import Model
from mgc.runs import Run, answering, identity, state


@dataclass(frozen=True)
class Fewer(MfccParams):
    """MFCC with another default."""

    n_mfcc: int = 13


@pytest.fixture
def songs(mgc_home: Path, music: Path, tmp_path: Path) -> Path:
    shutil.copytree(music, tmp_path / "songs")
    importing.add_path("m", tmp_path / "songs", group_by=None, seed=0, drop_rare=False)
    return tmp_path / "songs"


def asked(extractor: str, head: str = "mlp") -> fitting.FitRequest:
    [request] = fitting.requests(
        data="m", extractors=[extractor], heads=[head], device="cpu", assignments=["epochs=1"]
    )
    return request


def cut_short(run: Run) -> Run:
    """A copy of a finished run as it is before its predictions are written."""
    folder = shutil.copytree(run.folder, run.folder.with_name("cut-1"))
    record = {k: v for k, v in run.record.items() if k != "metrics"}
    write_json(folder / "run.json", {**record, "state": "running"})
    (folder / "predictions.parquet").unlink()
    return runs.load("cut-1")


def outcome(command: Callable[[], Any]) -> str:
    try:
        return str(command() or "")
    except MgcError as error:
        return error.message


def with_tracks(**columns: Any) -> None:
    known = table.load("m")
    table.save(table.Dataset("m", known.tracks.assign(**columns), known.root, known.record))


def labels(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genres = table.load("m").tracks["genre"]
    one, two = genres.unique()[:2]
    with_tracks(genre=genres.replace({one: two, two: one}))


def renamed(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_tracks(genre=table.load("m").tracks["genre"].replace({"jazz": "swing"}))


def folds(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = table.load("m").tracks
    one, other = (tracks.index[tracks["split"] == part][0] for part in ("training", "test"))
    split = tracks["split"].copy()
    split[one], split[other] = split[other], split[one]
    with_tracks(split=split)


def figures(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = runs.load("m-mfcc-mlp-1").folder / "run.json"
    record = json.loads(path.read_text())
    record["metrics"]["validation"]["accuracy"] = 0.999
    path.write_text(json.dumps(record))


def groups(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_tracks(artist=[f"artist {n // 2}" for n in range(len(table.load("m").tracks))])


def audio(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = sorted(songs.rglob("*.wav"))[:2]
    shutil.copyfile(other, one)


def declared(**changes: Any) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def change(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = registry.find

        def find(kind: str, name: str) -> registry.Entry:
            entry = real(kind, name)
            ours = kind == "extractor" and name == "mfcc"
            return replace(entry, info=replace(entry.info, **changes)) if ours else entry

        monkeypatch.setattr(registry, "find", find)

    return change


def weights(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("m-mfcc-mlp-1", "cut-1"):
        path = runs.load(name).folder / "fold-0" / "model.safetensors"
        save_file({name: array * float("nan") for name, array in load_file(path).items()}, path)


CHANGED = "has changed since it was written"
REVISED = "uses revision 1 of extractor 'mfcc'"
RATE = "uses sample rate 22050 of extractor 'mfcc'"
#: What each command says ("" if the change does not concern it); an experiment says why a step is
#: made again (the resumed run may be the step), ``choice`` is the run that answers. Runs of other
#: folds are compared without a test.
TABLE = {
    labels: {
        "resume": "other labels", "experiment": "of other labels", "compare": "the genre of",
        "ensemble": "the genre of", "predict": "", "choice": "m-chroma-mlp-1",
    },
    audio: {
        "resume": "other audio", "experiment": "of other audio", "compare": "the audio of",
        "ensemble": "the audio of", "predict": "", "choice": "m-chroma-mlp-1",
    },
    groups: {
        "resume": "other groups", "experiment": "of other groups", "compare": "the group (artist)",
        "ensemble": "the group (artist)", "predict": "",
    },
    declared(revision=7): {"resume": REVISED, "experiment": "to do", "predict": REVISED},
    declared(sample_rate=16_000): {"resume": RATE, "experiment": "to do", "predict": RATE},
    weights: {
        "resume": CHANGED, "experiment": "done", "compare": "", "ensemble": "", "predict": CHANGED,
    },
    renamed: {
        "resume": "other labels", "experiment": "of other labels", "compare": "their genres",
        "ensemble": "their genres", "predict": "", "choice": "m-chroma-mlp-1",
    },
    folds: {
        "resume": "other folds", "experiment": "of other folds", "compare": "",
        "ensemble": "division into splits", "predict": "",
    },
    figures: {
        "resume": "", "experiment": "done", "compare": CHANGED, "ensemble": CHANGED,
        "predict": CHANGED, "choice": "m-chroma-mlp-1",
    },
}  # fmt: skip


IDS = ["labels", "audio", "groups", "rev", "rate", "nan", "renamed", "folds", "figures"]


@pytest.mark.parametrize("change", TABLE, ids=IDS)
def test_what_changed_is_refused_by_each_command(
    change: Callable[[Path, pytest.MonkeyPatch], None], songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fitting.fit(asked("mfcc"))
    clip = sorted(songs.rglob("*.wav"))[5]
    begun = cut_short(first)
    change(songs, monkeypatch)
    wanted = TABLE[change]
    if "compare" in wanted:
        other = fitting.fit(asked("chroma"))

    def pair() -> list[Run]:
        return [runs.load(first.name), other]

    strategy = EnsembleRequest(StrategySpec("mean-probability"))

    def step() -> str:
        [one] = steps([asked("mfcc")], runs.everything()[0])
        return one.why or one.state

    def chosen() -> str:
        found = answering.answering(runs.everything()[0], "m")
        return found.run.name if found else ""

    commands: dict[str, Callable[[], Any]] = {
        "resume": lambda: fitting.resume(begun.name) and "",
        "experiment": step,
        "compare": lambda: systems(pair()) and "",
        "ensemble": lambda: ensemble(strategy, pair()) and "",
        "predict": lambda: Model(runs.load(first.name)).predict(clip) and "",
        "choice": chosen,
    }
    for name, said in wanted.items():
        got = outcome(commands[name])
        assert (said in got) if said else (got == ""), (name, got)


def test_a_run_that_records_no_identity_is_made_again_once_and_not_resumed(songs: Path) -> None:
    first = fitting.fit(asked("mfcc"))
    begun = cut_short(first)
    for run in (first, begun):
        record = {k: v for k, v in run.record.items() if k != "identity"}
        write_json(run.folder / "run.json", record)
    [step] = steps([asked("mfcc")], runs.everything()[0])
    assert step.state == "to do"
    assert "does not record" in step.why
    with pytest.raises(MgcError, match="cannot be checked") as caught:
        fitting.resume(begun.name)
    assert "Start afresh: " in caught.value.hint
    assert Model(runs.load(first.name)).predict(sorted(songs.rglob("*.wav"))[5]).probabilities
    again = fitting.fit(asked("mfcc"))
    assert again.name != begun.name
    [step] = steps([asked("mfcc")], runs.everything()[0])
    assert step.run is not None
    assert step.run.name == again.name
    ensemble(EnsembleRequest(StrategySpec("mean-probability")), [
        runs.load(first.name), fitting.fit(asked("chroma")),
    ])  # fmt: skip


def test_states_pooled_in_an_unknown_way_are_not_continued(
    songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier versions pooled an encoder's states to statistics, and recorded no pooling."""
    earlier = fitting.fit(asked("mfcc"))
    assert "pooling" not in earlier.record.identity
    begun = cut_short(earlier)
    declared(unit="embedding")(songs, monkeypatch)
    with pytest.raises(MgcError, match="its pooling cannot be checked"):
        fitting.resume(begun.name)
    [step] = steps([asked("mfcc")], runs.everything()[0])
    assert (step.run, "does not record its pooling" in step.why) == (None, True)
    now = fitting.fit(asked("mfcc"))
    assert now.name != begun.name
    assert steps([asked("mfcc")], runs.everything()[0])[0].run == now
    identity.check_alike([earlier, now])
    monkeypatch.setattr(request, "REVISION", 7)
    assert "other pooling" in steps([asked("mfcc")], [now])[0].why


def test_a_default_that_changes_changes_nothing(
    songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fitting.fit(asked("mfcc"))
    clip = sorted(songs.rglob("*.wav"))[5]
    before = Model(first).predict(clip).probabilities
    begun = cut_short(first)
    assert first.record.extractor.identity["params"]["n_mfcc"] != 13
    monkeypatch.setattr(Mfcc, "Params", Fewer)
    assert asked("mfcc").source.params.n_mfcc == 13
    assert Model(runs.load(first.name)).predict(clip).probabilities == before
    assert fitting.resume(begun.name).scores == first.scores


def test_a_fit_started_beside_the_same_fit_is_a_run_of_its_own(songs: Path) -> None:
    first = fitting.fit(asked("mfcc"))
    begun = cut_short(first)
    with state.locked(begun.folder):
        other = fitting.fit(asked("mfcc"))
    assert other.name not in (first.name, begun.name)
    assert other.scores == first.scores
    assert fitting.fit(asked("mfcc")).name == begun.name


def test_a_run_is_reserved_before_another_process_can_find_it(
    songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = []
    train = fit_run._train

    def look(run: Run, *rest: Any) -> Run:
        states.append(state.state(run))
        return train(run, *rest)

    monkeypatch.setattr(fit_run, "_train", look)
    fitting.fit(asked("mfcc"))
    assert states == ["running"]


def test_the_same_fit_again_goes_on_with_what_was_interrupted(songs: Path) -> None:
    first = fitting.fit(asked("mfcc"))
    begun = cut_short(first)
    done = fitting.fit(asked("mfcc"))
    assert done.name == begun.name
    assert done.scores == first.scores
    assert fitting.fit(asked("mfcc")).name not in (first.name, begun.name)  # finished: not reused
    assert json.loads((first.folder / "run.json").read_text())["state"] == "finished"
