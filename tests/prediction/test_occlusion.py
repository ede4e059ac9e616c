"""What is taken out is gone, and the rest is as it was."""

from __future__ import annotations

import numpy as np
import pytest

from mgc.prediction.occlusion import without_band, without_seconds

RATE = 22_050


def tone(hz: float, seconds: float = 3.0) -> np.ndarray:
    made = 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.asarray(made, np.float32)


def level(wave: np.ndarray, low: float, high: float) -> float:
    """The mean power of a band, in dB."""
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    return float(10 * np.log10(power[(hz >= low) & (hz < high)].mean()))


@pytest.mark.parametrize(("start", "end"), [(1.0, 2.0), (0.0, 1.0), (2.0, 3.0)])
def test_seconds_are_cut_out(start: float, end: float) -> None:
    wave = np.repeat(np.float32([0.1, 0.2, 0.3]), RATE)
    made = without_seconds(wave, RATE, start, end)
    assert len(made) == pytest.approx(2 * RATE, abs=0.02 * RATE)
    gone = wave[round((start + end) / 2 * RATE)]
    kept = [value for value in np.float32([0.1, 0.2, 0.3]) if value != gone]
    assert made[[0, -1]].tolist() == kept
    if kept == [wave[0], wave[-1]]:
        assert np.abs(np.diff(made)).max() < 1e-3  # no click


def test_a_tone_in_the_band_is_gone_and_others_stay() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 3 * RATE).astype(np.float32)
    wave = noise + tone(700) + tone(3_000)
    made = without_band(wave, RATE, 500, 1_000)
    assert made.shape == wave.shape
    assert made.dtype == np.float32
    assert level(made, 650, 750) < level(wave, 650, 750) - 30
    assert level(made, 550, 950) == pytest.approx(level(noise, 550, 950), abs=4)  # no hole
    assert level(made, 2_950, 3_050) == pytest.approx(level(wave, 2_950, 3_050), abs=0.1)


@pytest.mark.parametrize(("low", "high"), [(0, 125), (8_000, 11_025), (0, 11_025), (9_000, 30_000)])
def test_bands_at_the_ends_of_the_spectrum(low: float, high: float) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    made = without_band(wave, RATE, low, high)
    assert made.shape == wave.shape
    np.testing.assert_allclose(level(made, 2_000, 4_000), level(wave, 2_000, 4_000), atol=0.1)


def test_silence_stays_silence() -> None:
    silence = np.zeros(RATE, np.float32)
    assert np.abs(without_band(silence, RATE, 500, 1_000)).max() < 1e-6
    assert len(without_band(silence[:100], RATE, 500, 1_000)) == 100
