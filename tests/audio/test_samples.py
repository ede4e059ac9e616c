"""Samples of audio in any form."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

import mgc
from mgc.audio.clips import Clips


def test_any_form_gives_the_same_samples(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (8_000, 2)).astype(np.float32)
    path = tmp_path / "a.wav"
    soundfile.write(path, wave, 8_000, subtype="FLOAT")
    whole, rate = mgc.decode(path)
    assert rate == 8_000
    assert np.allclose(whole, wave.mean(1), atol=1e-7)
    with open(path, "rb") as file:
        assert np.array_equal(mgc.decode(file)[0], whole)
    assert np.array_equal(mgc.decode((wave, 8_000))[0], whole)
    part, _ = mgc.decode(path, start=0.5, seconds=0.25)
    assert np.array_equal(part, whole[4_000:6_000])
    assert len(mgc.decode(path, 16_000)[0]) == 16_000
    with pytest.raises(mgc.AudioError):
        mgc.decode(path, start=2.0)


class Offered:
    """An object that numpy can make an array of."""

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return WAVE


WAVE = np.random.default_rng(0).integers(-32_768, 32_768, 8_000).astype(np.int16)
FLOATS = (WAVE / 32_768).astype(np.float32)


@pytest.mark.parametrize(
    "samples",
    [
        WAVE.astype(">i2"),
        FLOATS.astype(">f8"),
        np.repeat(FLOATS, 2)[::2],
        FLOATS.tolist(),
        FLOATS.astype(object),
        np.ma.masked_array(FLOATS),
        np.frombuffer(FLOATS.tobytes(), np.float32),
        torch.from_numpy(WAVE),
        torch.from_numpy(FLOATS).requires_grad_(),
        torch.from_numpy(FLOATS)[None],
        Offered(),
    ],
)
def test_any_array_of_the_same_numbers_gives_the_same_samples(samples: object) -> None:
    assert np.array_equal(mgc.decode((samples, 8_000))[0], FLOATS)


def test_bfloat16_is_taken() -> None:
    half = torch.from_numpy(FLOATS).bfloat16()
    assert np.array_equal(mgc.decode((half, 8_000))[0], half.float().numpy())


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_file_may_read_as_any_kind_of_bytes(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, FLOATS, 8_000, subtype="FLOAT")
    file = SimpleNamespace(read=lambda: kind(path.read_bytes()))
    assert np.array_equal(mgc.decode(file)[0], FLOATS)


def test_clips_are_float32_whatever_they_are_made_of() -> None:
    read_only = np.frombuffer(FLOATS.tobytes(), np.float32)[None]
    wanted = Clips(FLOATS[None], 8_000).power(1024, 512)
    for waves in (FLOATS[None].astype(">f8"), torch.from_numpy(FLOATS)[None].double(), read_only):
        assert np.array_equal(Clips(waves, 8_000).power(1024, 512), wanted)
    clips = Clips(read_only, 8_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clips.waves.zero_()
    assert np.array_equal(read_only[0], FLOATS)
