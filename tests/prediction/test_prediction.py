"""A run hears audio that it has never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc import fitting, runs
from mgc.audio.audio_files import collect
from mgc.datasets.importers import importing
from mgc.datasets.synthesis.compose import synthesise
from mgc.errors import AudioError, UsageError
from mgc.features.extraction import features_of
from mgc.prediction.model import Model
from mgc.runs import models
from tests.fitting.test_fitting import asked


@pytest.fixture
def run(mgc_home: Path, music: Path) -> runs.Run:
    importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
    return fitting.fit(asked(folds=3))


def test_a_track_of_the_dataset_is_predicted_as_it_was_scored(
    run: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = run.rows("training").iloc[0]
    fold = run.folder / f"fold-{row['fold']}"
    assert fold in models.model_folders(run)
    monkeypatch.setattr(models, "model_folders", lambda _: [fold])
    answer = Model(run).predict(row["path"])
    expected = run.probabilities(run.rows("training").iloc[:1])[0]
    np.testing.assert_allclose(
        list(answer.probabilities.values()), expected, atol=2e-3
    )  # float16 in the store


def test_a_fold_run_answers_with_the_mean_of_its_folds(run: runs.Run, tmp_path: Path) -> None:
    path = tmp_path / "new.wav"
    soundfile.write(path, synthesise("metal", 77, 0, seconds=3.0), 22_050)
    model = Model(run)
    answer = model.predict(path)
    assert sum(answer.probabilities.values()) == pytest.approx(1.0)
    assert answer.ranked()[0][0] == "metal"
    [clips] = features_of(path, model.predictor.sources).values()
    by_fold = [head.predict([clips])[0][0] for head in model.predictor.heads[0]]
    assert len(by_fold) == 3
    np.testing.assert_allclose(list(answer.probabilities.values()), np.mean(by_fold, axis=0))


def test_bad_files_do_not_stop_a_batch(run: runs.Run, tmp_path: Path, music: Path) -> None:
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"ID3 but nothing else")
    good = next((music / "jazz").rglob("*.wav"))
    files = [bad, good, tmp_path / "gone.wav"]
    answers = list(Model(run).predict_many(files))
    assert [bool(answer.error) for answer in answers] == [True, False, True]
    assert str(bad) in answers[0].error
    with_workers = list(Model(run).predict_many(files, workers=2))
    assert [bool(answer.error) for answer in with_workers] == [True, False, True]
    assert with_workers[1] == answers[1]
    assert answers[1].seconds == pytest.approx(3.0)
    with pytest.raises(AudioError, match=r"bad\.mp3"):
        _ = answers[0].genre


def test_predicting_writes_nothing(run: runs.Run, music: Path, mgc_home: Path) -> None:
    before = sorted(mgc_home.rglob("*"))
    Model(run).predict(next(music.rglob("*.wav")))
    assert sorted(mgc_home.rglob("*")) == before


def test_collect_searches_folders_and_keeps_the_order(tmp_path: Path, music: Path) -> None:
    odd = tmp_path / "noise.xyz"
    odd.write_bytes(b"x")
    found = collect([odd, music / "metal", odd])
    assert found[0] == odd  # a file that was named is tried, whatever its suffix
    assert len(found) == 11
    with pytest.raises(UsageError, match="does not exist"):
        collect([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no audio"):
        collect([tmp_path / "empty"])


@pytest.mark.parametrize(
    ("left", "right", "remark"),
    [
        (0.0, 0.0, "is digital silence"),
        (0.3, -0.3, "its channels cancel each other when mixed to mono"),
        (1e-5, 1e-5, "its loudest second is at -103 dBFS"),
        (0.3, 0.3, ""),
    ],
)
def test_what_holds_no_music_is_said(
    run: runs.Run, tmp_path: Path, left: float, right: float, remark: str
) -> None:
    sound = np.sin(np.arange(44_100) * 0.05)
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.stack([left * sound, right * sound], axis=1), 22_050, subtype="FLOAT")
    model = Model(run)
    assert model.predict(path).remark == remark
    assert [answer.remark for answer in model.predict_many([path])] == [remark]
    assert sum(model.predict(path).probabilities.values()) == pytest.approx(1.0)


def test_a_constant_value_is_no_music(run: runs.Run) -> None:
    answer = Model(run).predict((np.full(44_100, 0.4, np.float32), 22_050))
    assert answer.remark == "holds a constant value only (DC)"
