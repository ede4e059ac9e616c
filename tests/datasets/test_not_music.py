"""The generator of what is not music, and the textures of it that are shipped."""

from __future__ import annotations

import numpy as np
import pytest

from mgc.audio.given import given
from mgc.datasets.synthesis import not_music as sounds
from mgc.datasets.synthesis.not_music import not_music
from mgc.errors import UsageError
from mgc.features.extraction import features_of
from mgc.features.extractor_spec import ExtractorSpec
from mgc.fitting import music_reference


@pytest.mark.parametrize("kind", list(sounds.KINDS))
def test_every_kind_makes_sound_that_its_seed_decides(kind: str) -> None:
    wave, rate = not_music(kind, 1, 2.0)
    assert (wave.shape, wave.dtype, rate) == ((2 * sounds.RATE,), np.float32, sounds.RATE)
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() <= 1.0
    np.testing.assert_array_equal(wave, not_music(kind, 1, 2.0)[0])
    if kind == "digital silence":
        assert not wave.any()
    else:
        assert not np.array_equal(wave, not_music(kind, 2, 2.0)[0])


def test_noise_falls_with_frequency_as_its_colour_says() -> None:
    for kind, slope in (("white noise", 0.0), ("pink noise", -1.0), ("brown noise", -2.0)):
        power = np.abs(np.fft.rfft(not_music(kind, 3, 20.0)[0])) ** 2
        hertz = np.arange(len(power)) / 20
        octaves = [power[(hertz >= f) & (hertz < 2 * f)].mean() for f in (100, 200, 400, 800, 1600)]
        fitted = np.polyfit(np.arange(5), np.log2(octaves), 1)[0]
        assert fitted == pytest.approx(slope, abs=0.25)


def test_what_cannot_be_made_is_said() -> None:
    with pytest.raises(UsageError, match="No kind is named 'whit noise'"):
        not_music("whit noise")
    with pytest.raises(UsageError, match=r"at least 1 s, not nan"):
        not_music("hum", seconds=float("nan"))


def test_the_shipped_textures_are_those_of_the_generator() -> None:
    textures, kinds = music_reference.not_music()
    assert set(kinds) >= set(range(len(sounds.KINDS)))
    for number, kind in enumerate(["white noise", "pink noise"]):
        sound = given(not_music(kind, 3, 6.0))
        made = np.mean(features_of(sound, [ExtractorSpec("texture")])["texture"], axis=0)
        np.testing.assert_allclose(textures[kinds == number][3], made, rtol=1e-3, atol=1e-3)
