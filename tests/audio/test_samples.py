"""Samples of audio in any form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import mgc


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
