"""The ready-made model: the network's own tags as a distribution over genres."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from mgc_musicnn import weights as stored
from mgc_musicnn.genres import PRIOR, TEMPERATURE
from mgc_musicnn.plugin import GENRES
from mgc_musicnn.tags import MSD

import mgc
from mgc.checks import parametrize
from mgc.prediction import ready_models

from .made_up import network

RATE = 16_000


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with small random weights in the real format."""
    monkeypatch.setenv("MGC_HOME", str(tmp_path))
    stored.path("msd").parent.mkdir(parents=True)
    made = network(1)
    made.output.weight.data *= 0.3  # answers that are not all 0 or 1
    safetensors.torch.save_file(made.state_dict(), stored.path("msd"))
    return tmp_path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Six seconds: two patches and a remainder."""
    noise = np.random.default_rng(3).uniform(-0.3, 0.3, 2 * 187 * 256 + 900)
    with wave.open(str(tmp_path / "song.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((noise * 32_767).astype("<i2").tobytes())
    return tmp_path / "song.wav"


def test_the_answer_is_that_of_the_tags(home: Path, song: Path) -> None:
    ready_models.get("musicnn-msd")
    model = mgc.load("musicnn-msd", device="cpu")
    assert model.predict(song).known is False  # it is noise
    assert model.genres == list(GENRES)
    made = mgc.extract(song, "musicnn")  # (clip, 200), the mean over patches
    net = stored.load("msd")
    with torch.inference_mode():
        logits = net.output(torch.from_numpy(made))[0].double()
        usual = net.output(net.dense_norm.bias).double()
    scores = {t: float(x - PRIOR * u) for t, x, u in zip(MSD, logits, usual, strict=True)}
    wanted = torch.tensor([np.mean([scores[t] for t in tags]) for tags in GENRES.values()])
    shares = list(model.predict(song).probabilities.values())
    # A standardised feature beyond 4 deviations is clipped; none is here.
    np.testing.assert_allclose(shares, (wanted / TEMPERATURE).softmax(0), atol=1e-5)


def test_every_genre_has_tags_that_exist() -> None:
    for tags in GENRES.values():
        assert set(tags) <= set(MSD)
        assert len(set(tags)) == len(tags) > 0


def test_a_wheel_that_is_not_the_published_one_leaves_nothing(tmp_path: Path, home: Path) -> None:
    other = tmp_path / "other.whl"
    other.write_bytes(b"no wheel")
    with pytest.raises(mgc.MgcError, match="is not musicnn"):
        ready_models.get("musicnn-msd", other)
    assert list((home / "models").iterdir()) == []


@parametrize("musicnn-msd")
def test_it_conforms(check: object, home: Path) -> None:
    ready_models.get("musicnn-msd")
    check()  # type: ignore[operator]
