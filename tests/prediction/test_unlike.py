"""A run says whether a file is like its training music, and whether it learnt from it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc import fitting, runs
from mgc.audio.sound_hash import FORMER_SCHEME, SCHEME, sound_hash
from mgc.datasets.importers import importing
from mgc.datasets.synthesis.compose import synthesise
from mgc.datasets.synthesis.not_music import not_music
from mgc.ensembling.combination import EnsembleRequest, StrategySpec
from mgc.ensembling.ensemble_runs import ensemble
from mgc.errors import MgcError, UsageError
from mgc.fitting.music_reference import fit_machine
from mgc.prediction import unlike
from mgc.prediction.model import Model
from mgc.prediction.unlike import mean_texture
from mgc.runs.reference import REFERENCE, Reference, audio_key, load_reference
from mgc.runs.run_verification import verify
from tests.conftest import Told
from tests.fitting.test_fitting import asked


@pytest.fixture
def run(mgc_home: Path, music: Path) -> runs.Run:
    importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
    return fitting.fit(asked(folds=3))


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    path = tmp_path / "noise.wav"
    soundfile.write(path, *not_music("white noise", 1, 3.0))
    return path


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    path = tmp_path / "tune.wav"
    soundfile.write(path, synthesise("jazz", 77, 0, seconds=3.0), 22_050)
    return path


def test_noise_is_unknown_and_music_is_known(run: runs.Run, noise: Path, tune: Path) -> None:
    model = Model(run)
    answer = model.predict(noise)
    assert answer.unlike == 1.0
    assert answer.known is False
    assert answer.genre in run.genres  # still the best guess
    assert model.predict(noise, unknown=0).known is True
    known = model.predict(tune)
    assert known.unlike is not None
    assert known.unlike < 1.0
    assert known.known is True
    assert [each.unlike for each in model.predict_many([noise, tune])] == [1.0, known.unlike]
    with pytest.raises(UsageError, match=r"from 0 to 0\.5, not nan"):
        model.predict(tune, unknown=float("nan"))


def test_unlike_does_not_depend_on_the_level(run: runs.Run, tune: Path) -> None:
    wave, rate = soundfile.read(tune, dtype="float32")
    model = Model(run)
    loud, quiet = (model.predict((gain * wave, rate)) for gain in (1.0, 1e-5))
    assert quiet.unlike == loud.unlike
    assert quiet.remark  # nobody would hear it
    assert quiet.known is False


def test_held_out_music_is_lost_as_rarely_as_the_limit_says(
    run: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Model(run).predictor.reference
    assert kept is not None
    assert len(kept.held_out) == len(run.rows("test")) == 30
    assert len(kept.machines) == 3
    assert kept.smallest_rate == 1 / 31
    assert (kept.held_out > kept.limit(0.01)).sum() == 0
    assert (kept.held_out > kept.limit(0.2)).sum() == 5
    assert len(kept.unknown_keys(0.2)) == 5
    lost = set(kept.unknown_keys(0.2).tolist())
    rows = run.rows("test")
    for row, key in zip(rows["path"], rows["audio"], strict=True):
        features = Model(run).predictor.features(Path(row))[0]
        score = kept.held_out[np.flatnonzero(kept.held_out_keys == int(key, 16))[0]]
        fold = int(rows.set_index("path").loc[row, "fold"])
        assert kept.machines[fold].score(mean_texture(features[-1])[None])[0] == pytest.approx(
            score, abs=2e-3
        )
    monkeypatch.setattr(unlike, "UNKNOWN", 0.2)
    by_genre = unlike.unknown_by_genre(run, kept)
    assert by_genre is not None
    counts = rows["genre"].value_counts()
    assert sum(share * counts[genre] for genre, share in by_genre.items()) == pytest.approx(5)
    assert by_genre == {
        genre: np.mean([int(k, 16) in lost for k in rows["audio"][rows["genre"] == genre]])
        for genre in run.genres
    }
    assert unlike.unknown_by_genre(run, replace(kept, held_out_keys=np.empty(0))) is None


def test_a_file_that_a_run_learnt_from_is_recognised(
    run: runs.Run, tune: Path, tmp_path: Path
) -> None:
    row = run.rows("test").iloc[4]
    moved = tmp_path / "another name.wav"
    moved.write_bytes(Path(row["path"]).read_bytes())
    model = Model(run)
    found = model.predict(moved).heard_before
    assert found is not None
    assert (found.track_id, found.genre) == (row["track_id"], row["genre"])
    expected = run.probabilities(run.rows("test").iloc[4:5])[0]
    assert list(found.out_of_fold.values()) == expected.tolist()
    assert found.answer == run.genres[expected.argmax()]
    assert model.predict(tune).heard_before is None


def test_a_run_made_by_the_former_rule_knows_its_files_by_it(
    run: runs.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 22_050), 22_050)
    key = audio_key(sound_hash(path, FORMER_SCHEME))
    kept = load_reference(run)
    assert kept is not None
    kept = replace(kept, learnt=np.array([int(key, 16)], np.uint64))
    monkeypatch.setattr(unlike, "load_reference", lambda _: kept)
    for scheme, known in ((FORMER_SCHEME, True), (SCHEME, False)):
        made = replace(run, record=replace(run.record, identity={"audio": f"{scheme}:0"}))
        assert (unlike.TrainingMusic(made, [made]).heard_before(path) is not None) is known


def test_only_tracks_of_a_single_split_that_were_learnt_from_count(
    mgc_home: Path, music: Path
) -> None:
    importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
    run = fitting.fit(asked())
    model = Model(run)
    assert run.record.learns == ["training", "validation"]
    for part in runs.PARTS:
        found = model.predict(run.rows(part)["path"].iloc[0]).heard_before
        assert (found is not None) == (part in run.record.learns)
        assert found is None or found.answer == ""  # it was never held out


def test_an_ensemble_judges_as_its_members_do(run: runs.Run, noise: Path) -> None:
    other = fitting.fit(asked(folds=3, extractors=["chroma"]))
    made = ensemble(
        EnsembleRequest(StrategySpec("confidence", {}), False, "validation"), [run, other]
    )
    for member in (run, other):
        runs.remove(member.name)
    answer = Model(made).predict(noise)
    assert (answer.unlike, answer.known) == (1.0, False)
    row = made.rows("test").iloc[0]
    found = Model(made).predict(row["path"]).heard_before
    assert found is not None
    assert list(found.out_of_fold.values()) == made.probabilities(made.rows("test")[:1])[0].tolist()
    assert not verify(made).damaged
    (made.folder / "members" / other.name / REFERENCE).write_bytes(b"x")
    assert len(verify(made).damaged) == 1


def test_the_command_says_what_it_does_not_know(
    run: runs.Run, noise: Path, tune: Path, mgc: Callable[..., Told]
) -> None:
    track = run.rows("test").iloc[0]["path"]
    told = mgc("predict", noise, tune, track, "--run", run.name, "--workers", 1)
    rows = {line.split("  ")[0]: line for line in told.out.splitlines()}
    assert "unknown" in rows[str(noise)]
    assert "unknown" not in rows[str(tune)]
    assert "the limit loses 3.2 % of music, the least that 30 held-out tracks allow" in told.err
    assert "learnt from 1 file of 3" in told.err
    asked_for = mgc("predict", noise, "--run", run.name, "--unknown", 0)
    assert "unknown" not in asked_for.out + asked_for.err
    (record,) = mgc("predict", noise, "--run", run.name, "--json").json
    assert (record["known"], record["unlike"]) == (False, 1.0)
    assert record["genre"] in run.genres
    table = list(csv.DictReader(mgc("predict", track, "--run", run.name, "--csv").out.splitlines()))
    assert list(table[0])[-4:] == ["unlike", "known", "heard_before", "out_of_fold_genre"]
    assert table[0]["known"] == "True"
    assert mgc("predict", noise, "--run", run.name, "--unknown", 0.7).code == 2


def test_many_unknown_files_are_explained_once(
    run: runs.Run, noise: Path, tune: Path, mgc: Callable[..., Told], tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.wav" for number in range(10)]
    for number, path in enumerate(files):
        path.write_bytes((noise if number < 3 else tune).read_bytes())
    note = f"3 of 10 files are unlike the music that {run.name} learnt from."
    told = mgc("predict", *files, "--run", run.name, "--workers", 1)
    assert told.err.count(note) == 1
    assert "--unknown 0" in told.err
    assert note not in mgc("predict", *files, "--run", run.name, "--unknown", 0).err
    assert "learnt from" not in mgc("predict", *files[1:], "--run", run.name).err  # 2 of 9


def test_a_reference_of_other_statistics_is_refused_in_one_line(run: runs.Run, tune: Path) -> None:
    others = np.random.default_rng(0).normal(size=(9, 5))
    machine = fit_machine(others, others + 1, np.zeros(9, int))
    revision = Model(run).predictor.sources[0].texture.info.revision
    Reference([machine], np.arange(9.0), np.zeros(1, np.uint64), revision).save(run.folder)
    record = json.loads((run.folder / "run.json").read_bytes())
    del record["checksums"][REFERENCE], record["checksum"]
    (run.folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(MgcError, match="is damaged: its reference has other statistics"):
        Model(runs.load(run.name)).predict(tune)


def test_a_run_without_a_reference_says_so_once_and_predicts(
    run: runs.Run, noise: Path, tune: Path, mgc: Callable[..., Told]
) -> None:
    before = Model(run).predict(tune)
    record = json.loads((run.folder / "run.json").read_bytes())
    del record["checksums"][REFERENCE], record["checksum"]
    (run.folder / "run.json").write_text(json.dumps(record))
    (run.folder / REFERENCE).unlink()
    answer = Model(runs.load(run.name)).predict(tune)
    assert answer.probabilities == before.probabilities
    assert (answer.unlike, answer.known, answer.heard_before) == (None, None, None)
    told = mgc("predict", noise, tune, "--run", run.name)
    assert told.code == 0
    assert told.err.count("keeps no reference") == 1
    assert "unknown" not in told.out
