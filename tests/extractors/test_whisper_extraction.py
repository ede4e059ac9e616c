"""Extractor whisper from audio files to the feature store, and without its weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.clips import Clips
from mgc.errors import MgcError
from mgc.features.extraction import extract
from mgc.features.extractor_spec import ExtractorSpec
from mgc.runs import runs_home
from mgc.training.fitted_head import restore_head
from tests.extractors.tiny_whisper import BLOCKS, FEATURES
from tests.sounds import music, write

RATE = 16_000


@pytest.fixture
def songs(music: Path, tmp_path: Path) -> Path:
    """One track of each artist: the encoder hears each 3 s as 30 s."""
    for path in music.rglob("0.wav"):
        kept = tmp_path / "songs" / path.relative_to(music)
        kept.parent.mkdir(parents=True)
        kept.hardlink_to(path)
    return tmp_path / "songs"


def source(folder: Path | str, policy: ClipPolicy | None = None, **settings: Any) -> ExtractorSpec:
    given = {"model": str(folder), "precision": "fp32", **settings}
    return ExtractorSpec("whisper", given, policy or ClipPolicy())


@pytest.fixture
def files(tmp_path: Path) -> dict[Path, np.ndarray]:
    """Two files at the model's own rate, so that nothing but the extractor changes them."""
    found = {}
    for number, seconds in enumerate((2.0, 3.3)):
        wave = music(seconds, RATE, number)
        path = write(tmp_path / f"{number}.wav", wave, RATE)
        found[path] = np.round(wave * 32768).astype(np.int16).astype(np.float32) / 32768
    return found


@pytest.mark.parametrize(
    ("layer", "dtype"), [("mean", np.float16), (1, np.float16), ("all", np.float32)]
)
def test_features_of_files_reach_the_store(mgc_home, whisper_folder, files, layer, dtype) -> None:
    asked = source(whisper_folder, layer=layer)
    made = extract(list(files), [asked])
    assert not made.failures
    fresh = source(whisper_folder, layer=layer)
    for path, wave in files.items():
        (stored,) = fresh.store.read(made.hashes[path])
        expected = fresh.extractor(Clips(torch.from_numpy(wave)[None], RATE))[0].numpy()
        assert stored.dtype == dtype
        assert stored.shape == fresh.extractor.feature_shape(len(wave)) == expected.shape
        assert np.abs(stored - expected).max() < 4e-3  # half a step of float16 at 4 to 8
    assert fresh.kind == ("layers" if layer == "all" else "sequence")
    assert extract(list(files), [fresh]).found == 2


def test_a_batch_of_settings_has_a_store_each(mgc_home, whisper_folder, files) -> None:
    settings = [{"layer": 1}, {"layer": 2}, {"layer": 2, "stride": 5}, {"precision": "bf16"}]
    prints = {source(whisper_folder, **some).store.fingerprint for some in settings}
    assert len(prints) == len(settings)


def test_new_weights_mean_new_features(mgc_home, whisper_folder, tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(whisper_folder, tmp_path / "model"))
    before = source(folder).store.fingerprint
    assert source(folder).store.fingerprint == before
    name = "model.encoder.conv1.bias"
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, name: tensors[name] + 0.01}, folder / "model.safetensors")
    assert source(folder).store.fingerprint != before


def test_a_long_track_is_heard_as_clips(mgc_home, whisper_folder, tmp_path) -> None:
    path = write(tmp_path / "long.wav", music(9.0, RATE), RATE)
    asked = source(whisper_folder, ClipPolicy(seconds=2.0, per_track=3), layer="all")
    made = extract([path], [asked])
    clips = asked.store.read(made.hashes[path])
    assert [clip.shape for clip in clips] == [(BLOCKS + 1, 2 * FEATURES)] * 3


@pytest.mark.parametrize("command", ["fit", "extract"])
def test_without_weights_nothing_is_opened(mgc, music, tmp_path, command: str) -> None:
    copied = Path(shutil.copytree(music, tmp_path / "songs"))
    assert mgc("data", "add", "songs", copied).code == 0
    for file in copied.rglob("*.wav"):
        file.unlink()  # whoever opens one says so
    absent = ("--set", "model=nobody/whisper-nothing", "--data", "songs")
    if command == "fit":
        told = mgc("fit", "--extractor", "whisper", "--head", "logistic", *absent)
    else:
        told = mgc("features", "extract", "whisper", *absent)
    assert told.code == 1
    assert "'nobody/whisper-nothing' is not on this machine" in told.err
    assert "mgc features fetch whisper --set model=nobody/whisper-nothing" in told.err
    assert ".wav" not in told.err


def test_fit_and_predict_with_all_layers(mgc, songs, whisper_folder, tmp_path) -> None:
    folder = Path(shutil.copytree(whisper_folder, tmp_path / "model"))
    assert mgc("data", "add", "songs", songs).code == 0
    chosen = ("--set", f"model={folder}", "--set", "layer=all")
    quick = ("--set", "epochs=2", "--head", "mlp", "--device", "cpu")
    told = mgc("fit", "--extractor", "whisper", *chosen, *quick, "--data", "songs", "--folds", "2")
    assert told.code == 0, told.err
    predict = ("predict", next(songs.rglob("*.wav")), "--run", "songs-whisper-mlp-1", "--json")
    told = mgc(*predict)
    assert told.code == 0, told.err
    assert "ambient" in told.out
    shutil.rmtree(folder)
    told = mgc(*predict)
    assert told.code == 1
    assert f"There is no folder {folder}" in told.err


def test_pooled_states_are_their_mean_over_time(mgc, songs, whisper_folder) -> None:
    assert mgc("data", "add", "songs", songs).code == 0
    chosen = ("--extractor", "whisper", "--set", f"model={whisper_folder}", "--head", "logistic")
    told = mgc("fit", *chosen, "--data", "songs", "--folds", "2")
    assert told.code == 0, told.err
    head = restore_head(runs_home() / "songs-whisper-logistic-1" / "fold-0")
    assert head.facts.shape.features == FEATURES
    frames = np.random.default_rng(0).normal(size=(FEATURES, 9)).astype(np.float16)
    np.testing.assert_allclose(head.pooling(frames), frames.astype(float).mean(1), atol=1e-6)


def test_missing_weights_fail_where_the_store_is_asked_for(mgc_home) -> None:
    with pytest.raises(MgcError, match="There is no folder"):
        source("/no/such/folder").store  # noqa: B018
