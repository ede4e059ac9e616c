"""The public Python API: what it takes, what it answers, and what it leaves alone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from threadpoolctl import threadpool_info, threadpool_limits

import mgc
from mgc.audio.decoding import decode
from mgc.datasets.synthesis.compose import synthesise
from mgc.training.fitted_head import FittedHead
from tests.cli.test_app import HEAVY

#: What predicting with `logistic` has no use for; torch, numpy and soundfile it has.
UNUSED = sorted({*HEAVY, "skops", "psutil"} - {"scipy", "numpy", "soundfile"})
RATE = 22_050


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, music: Path) -> Any:
    """A home with a dataset, two runs of 2 folds and an ensemble of them."""
    folder = tmp_path_factory.mktemp("api")
    before = os.environ.get("MGC_HOME")
    os.environ["MGC_HOME"] = str(folder)
    mgc.datasets.add("mine", music)
    runs = [mgc.fit("mine", name, "logistic", folds=2, device="cpu") for name in ("mel", "mfcc")]
    mgc.ensemble("confidence", runs)
    yield folder
    if before is None:
        del os.environ["MGC_HOME"]
    else:
        os.environ["MGC_HOME"] = before


@pytest.fixture
def model(home: Path) -> mgc.Model:
    return mgc.load("mine-mel-logistic-1", device="cpu")


@pytest.fixture
def song(music: Path) -> Path:
    return next((music / "jazz").rglob("*.wav"))


def in_a_process(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_mgc_loads_nothing_heavy_and_shows_its_names() -> None:
    heavy, names = json.loads(
        in_a_process(
            "import sys, json, mgc, mgc.datasets\n"
            f"heavy = [m for m in {HEAVY!r} if m in sys.modules]\n"
            "print(json.dumps([heavy, dir(mgc)]))"
        )
    )
    assert heavy == []
    assert {"load", "extract", "fit", "ensemble", "compare", "datasets", "Model"} <= set(names)


def test_every_public_name_is_there_and_others_are_not() -> None:
    for name in mgc.__all__:
        assert getattr(mgc, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        _ = mgc.magic


@pytest.mark.parametrize("run", ["mine-mel-logistic-1", "mine-confidence-1"])
@pytest.mark.parametrize("workers", [1, 2])
def test_predicting_loads_neither_trainer_nor_tables(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str, workers: int
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # elsewhere, killed tests may have left folders
    song = tmp_path / "jazz" / "new.wav"  # what is said of one heard before needs a table
    song.parent.mkdir()
    soundfile.write(song, synthesise("jazz", 77, 0, seconds=4.0), RATE)
    found = in_a_process(
        "import sys\n"
        "from mgc.cli.app import build\n"
        f"sys.argv = ['mgc', 'predict', {str(song.parent)!r}, '--run', {run!r},"
        f" '--workers', '{workers}', '--device', 'cpu']\n"
        "build(['predict'])(standalone_mode=False)\n"
        f"unused = {[*UNUSED, 'mgc.training.loop', 'mgc.training.fit', 'mgc.fitting']!r}\n"
        "print([m for m in unused if m in sys.modules])"
    )
    assert found.splitlines()[-1] == "[]"
    assert "jazz" in found


def test_a_file_is_heard_the_same_in_every_form(model: mgc.Model, song: Path) -> None:
    expected = model.predict(song)
    wave, rate = soundfile.read(song, dtype="float32")
    whole, _ = soundfile.read(song, dtype="int16")
    forms: dict[str, object] = {
        "str": str(song),
        "bytes": io.BytesIO(song.read_bytes()),
        "float32": (wave, rate),
        "float64": (wave.astype(np.float64), rate),
        "int16": (whole, rate),
        "(sample, 1)": (wave[:, None], rate),
        "(2, sample)": (np.stack([wave, wave]), rate),
        "(sample, 2)": (np.stack([wave, wave], axis=1), np.int64(rate)),
    }
    for name, form in forms.items():
        answer = model.predict(form)
        assert answer.probabilities == expected.probabilities, name
        assert answer.seconds == expected.seconds == 3.0
    with song.open("rb") as file:
        assert model.predict(file).probabilities == expected.probabilities
        assert not file.closed


def test_an_array_of_another_rate_is_resampled_as_a_file_is(
    model: mgc.Model, song: Path, tmp_path: Path
) -> None:
    wave, _ = decode(song, 44_100)
    stereo = np.stack([wave, 0.5 * wave], axis=1)
    path = tmp_path / "stereo.wav"
    soundfile.write(path, stereo, 44_100, subtype="FLOAT")
    assert model.predict(path).probabilities == model.predict((stereo, 44_100)).probabilities


@pytest.mark.parametrize(
    ("audio", "error", "message"),
    [
        ((np.full(RATE, np.nan, np.float32), RATE), mgc.AudioError, "NaN"),
        ((np.empty(0, np.float32), RATE), mgc.AudioError, "no samples"),
        ((np.zeros(100, np.float32), RATE), mgc.AudioError, "too short"),
        ((np.zeros(RATE, np.float32), 7), mgc.AudioError, "7 Hz"),
        ((np.zeros(RATE, np.float32), 22_050.5), mgc.UsageError, "whole number of Hz"),
        ((np.zeros(RATE, np.int32), RATE), mgc.UsageError, "type int32"),
        ((np.full(RATE, 3e4, np.float32), RATE), mgc.UsageError, "reach 30,000"),
        ((np.zeros((2, 2, RATE), np.float32), RATE), mgc.UsageError, "shape"),
        ((np.zeros((500, 500), np.float32), RATE), mgc.UsageError, "500 channels"),
        (io.StringIO("text"), mgc.UsageError, "reads as str, not bytes"),
        (([[0.1, 0.2], [0.3]], RATE), mgc.UsageError, "no array of numbers"),
        ((np.ones(RATE, complex), RATE), mgc.UsageError, "not of real numbers"),
        ((np.ma.masked_less(np.ones(RATE), 2), RATE), mgc.AudioError, "not numbers"),
        (io.BytesIO(b""), mgc.AudioError, "empty"),
        (io.BytesIO(b"no music"), mgc.AudioError, "does not decode"),
        (17, mgc.UsageError, "int is not a form of audio"),
        ("nowhere.wav", mgc.AudioError, "cannot be read"),
    ],
)
def test_what_is_no_audio_is_refused(
    model: mgc.Model, audio: object, error: type[mgc.MgcError], message: str
) -> None:
    with pytest.raises(error, match=message):
        model.predict(audio)


def test_a_prediction_says_what_it_is(model: mgc.Model, song: Path) -> None:
    answer = model.predict(song)
    assert list(answer.probabilities) == model.genres
    assert answer.genre == max(answer.probabilities, key=answer.probabilities.__getitem__)
    assert answer.probability == answer.probabilities[answer.genre]
    assert sum(answer.probabilities.values()) == pytest.approx(1.0)
    assert (answer.path, answer.error) == (song, "")
    assert answer.genre in repr(answer)
    assert f"<td>{answer.genre}</td>" in answer._repr_html_()
    assert "mel · logistic" in repr(model)
    assert "mel · logistic" in model._repr_html_()


def test_many_files_come_in_order_with_their_errors(
    model: mgc.Model, song: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "<bad>.wav"
    bad.write_text("no music")
    one, other = model.predict_many([song, str(bad)], workers=1)
    assert one == model.predict(song)
    assert "does not decode" in other.error
    assert "&lt;bad&gt;" in other._repr_html_()
    assert "error" in repr(other)
    with pytest.raises(mgc.AudioError, match="does not decode"):
        _ = other.probability
    assert capfd.readouterr() == ("", "")


def test_embeddings(home: Path, model: mgc.Model, song: Path) -> None:
    run = model.run
    row = run.predictions.query("fold == 0").index[0]
    path = run.predictions.loc[row, "path"]
    made = model.embed(path)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, run.embeddings[row], atol=0.05)  # float16 in the store
    both = mgc.load(home / "runs" / "mine-confidence-1").embed(song)
    members = [mgc.load(f"mine-{name}-logistic-1").embed(song) for name in ("mel", "mfcc")]
    np.testing.assert_array_equal(both, np.concatenate(members))


def test_features_are_librosas(song: Path) -> None:
    import librosa

    made = mgc.extract(song, "mel", n_mels=96, clip_seconds=1.0)
    assert (made.dtype, made.shape) == (np.float32, (3, 96, 44))
    wave, rate = soundfile.read(song, dtype="float32")
    power = librosa.feature.melspectrogram(y=wave[:rate], sr=rate, n_mels=96, pad_mode="constant")
    np.testing.assert_allclose(made[0], librosa.power_to_db(power, ref=1.0), atol=2e-3)
    with pytest.raises(mgc.UsageError, match="'n_mel'"):
        mgc.extract(song, "mel", n_mel=96)


def test_a_clip_that_ends_early_is_filled_with_nan(
    song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mgc.audio import decoding

    waves = [np.ones(RATE, np.float32), np.ones(RATE // 2, np.float32)]
    monkeypatch.setattr(decoding, "excerpts", lambda *_: (waves, RATE))
    made = mgc.extract(song, "mel")
    assert made.shape == (2, 128, 44)
    assert np.isfinite(made[0]).all()
    assert np.isfinite(made[1, :, :22]).all()
    assert np.isnan(made[1, :, 22:]).all()


def test_a_run_shows_its_figures_and_writes_its_report(home: Path, tmp_path: Path) -> None:
    run = mgc.load("mine-mel-logistic-1").run
    assert isinstance(run, mgc.Run)
    assert run.folder == home / "runs" / run.name
    assert run.figures["tracks"] == 30
    assert f"{run.figures['accuracy']:.1%}" in repr(run)
    assert "accuracy" in run._repr_html_()
    page = run.report(tmp_path / "new" / "page.html", title="A < B")
    assert "A &lt; B" in page.read_text()


def test_compare_gives_a_table(home: Path) -> None:
    from mgc.api import COLUMNS

    table = mgc.compare("mine")
    assert tuple(table.columns) == COLUMNS
    assert sorted(table["name"]) == ["confidence", "mel · logistic", "mfcc · logistic"]
    assert table["accuracy"].is_monotonic_decreasing
    some = mgc.compare([mgc.load("mine-mel-logistic-1").run, "mine-mfcc-logistic-1"])
    assert len(some) == 2
    with pytest.raises(mgc.UsageError, match="No dataset is named"):
        mgc.compare("yours")


def test_settings_reach_their_owner_and_wrong_ones_are_refused(home: Path) -> None:
    run = mgc.fit("mine", "mel", "logistic", settings={"mel.n_mels": 64, "C": 0.5}, device="cpu")
    assert run.record["extractor"]["settings"] == {"n_mels": 64}
    assert run.record["head"]["settings"] == {"C": 0.5}
    with pytest.raises(mgc.UsageError, match="No parameter"):
        mgc.fit("mine", "mel", "logistic", settings={"magic": 1})
    with pytest.raises(mgc.UsageError, match="No run is named"):
        mgc.load("nothing")


def test_datasets(home: Path) -> None:
    assert mgc.datasets.names() == ["mine"]
    assert mgc.datasets.load("mine").genres == ["ambient", "jazz", "metal"]
    with pytest.raises(mgc.UsageError, match="No dataset"):
        mgc.datasets.load("yours")


def test_a_batch_is_answered_as_each_file_is(model: mgc.Model, song: Path, music: Path) -> None:
    paths = [song, next((music / "jazz").rglob("*.wav")), next((music / "metal").rglob("*.wav"))]
    features = [model.features(path) for path in paths]
    assert features[0].length == pytest.approx(3.0)
    for answer, path in zip(model.predict_features(features), paths, strict=True):
        alone = model.predict(path)
        assert (answer.path, answer.known) == (path, alone.known)
        assert answer.heard_before == alone.heard_before
        assert answer.probabilities == pytest.approx(alone.probabilities, abs=1e-6)
        assert answer.genres_at(0.9) == alone.genres_at(0.9)


def test_heads_answer_in_one_thread(
    model: mgc.Model, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads of the linear algebra that wait for each other cost ten times as much CPU if other
    processes run: the workers of `predict_many`."""
    threads: list[int] = []
    predict = FittedHead.predict

    def noting(head: FittedHead, features: Any) -> Any:
        found = threadpool_info()
        threads.extend(one["num_threads"] for one in found if one["user_api"] == "blas")
        return predict(head, features)

    monkeypatch.setattr(FittedHead, "predict", noting)
    with threadpool_limits(2, "blas"):
        model.predict(song)
    assert set(threads) == {1}


def test_the_runs_that_there_are_and_the_views_of_an_ensemble(home: Path, song: Path) -> None:
    names = ["mine-mel-logistic-1", "mine-mfcc-logistic-1"]
    found = {run.name: run for run in mgc.finished_runs()}
    assert [*names, "mine-confidence-1"] == list(found)[:3]
    assert found["mine-confidence-1"].members == names
    assert found[names[0]].members == []
    answering = mgc.answering_run()
    assert answering is not None
    assert answering.name in found
    answer = mgc.ensemble("mean-probability", names).model().predict(song)
    assert list(answer.views) == ["mel · logistic", "mfcc · logistic"]
    for genre, share in answer.probabilities.items():
        mean = sum(view[genre] for view in answer.views.values()) / 2
        assert share == pytest.approx(mean, abs=1e-6)


def test_an_explanation_is_drawn(model: mgc.Model, song: Path, tmp_path: Path) -> None:
    made, opened = model.explain(song), io.BytesIO()
    mgc.picture(made, tmp_path / "why.png")
    mgc.picture(made, opened)
    assert (tmp_path / "why.png").read_bytes() == opened.getvalue()
    assert opened.getvalue().startswith(b"\x89PNG")
