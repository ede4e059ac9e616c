"""The numbers of librosa, and mgc's contract."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from mgc_cqt.constant_q import C1, Cqt, CqtParams, Vqt, VqtParams
from mgc_cqt.plugin import HOP, RATE
from mgc_cqt.tempo import Tempogram, TempogramParams

from mgc import UsageError
from mgc.audio.clips import Clips
from mgc.checks import parametrize
from mgc.plugins import params


def music(seconds: float, seed: int = 0) -> np.ndarray:
    """Detuned chords and beats, (sample,) float32."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    pitches = 440 * 2 ** (random.integers(-24, 24, 5) / 12 + 0.02)
    wave = sum(np.sin(2 * np.pi * pitch * time) for pitch in pitches)
    beats = np.exp(-12 * np.mod(time, 0.47)) * random.standard_normal(len(time))
    return (0.1 * wave + 0.3 * beats).astype(np.float32)


def heard(extractor: object, wave: np.ndarray) -> np.ndarray:
    return extractor(Clips(torch.from_numpy(wave)[None], RATE))[0].numpy()


def decibel(transform: np.ndarray) -> np.ndarray:
    return librosa.amplitude_to_db(np.abs(transform), ref=1.0, amin=1e-5, top_db=80.0)


@pytest.mark.parametrize("seconds", [1.07, 3.0, 30.0])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_bins": 36, "fmin": 2 * C1},
        {"n_bins": 50, "bins_per_octave": 24},
        {"n_bins": 1, "fmin": 440.0},
        {"n_bins": 12, "fmin": 65.4, "tuning": 0.3},
    ],
    ids=str,
)
def test_cqt_is_librosas(seconds: float, settings: dict) -> None:
    wave = music(seconds)
    p = CqtParams(**settings)
    wanted = librosa.cqt(
        wave, sr=RATE, hop_length=HOP, fmin=p.fmin, n_bins=p.n_bins,
        bins_per_octave=p.bins_per_octave, tuning=p.tuning,
    )  # fmt: skip
    np.testing.assert_allclose(heard(Cqt(p, "cpu"), wave), decibel(wanted), atol=5e-3)


@pytest.mark.parametrize("gamma", [None, 0.0, 20.0])
def test_vqt_is_librosas(gamma: float | None) -> None:
    wave = music(3.0)
    wanted = librosa.vqt(wave, sr=RATE, hop_length=HOP, gamma=gamma, n_bins=84)
    got = heard(Vqt(VqtParams(gamma=gamma), "cpu"), wave)
    np.testing.assert_allclose(got, decibel(wanted), atol=5e-3)


def test_tuning_is_estimated_where_it_is_none() -> None:
    wave = music(3.0)
    wanted = librosa.cqt(wave, sr=RATE, hop_length=HOP, tuning=None)
    got = heard(Cqt(CqtParams(tuning=None), "cpu"), wave)
    np.testing.assert_allclose(got, decibel(wanted), atol=5e-3)


@pytest.mark.parametrize("win_length", [384, 101])
@pytest.mark.parametrize("seconds", [1.07, 30.0])
def test_tempogram_is_librosas(win_length: int, seconds: float) -> None:
    wave = music(seconds)
    onsets = librosa.onset.onset_strength(y=wave, sr=RATE, hop_length=HOP)
    wanted = librosa.feature.tempogram(
        onset_envelope=onsets, sr=RATE, hop_length=HOP, win_length=win_length
    )
    got = heard(Tempogram(TempogramParams(win_length=win_length, tempi=0), "cpu"), wave)
    np.testing.assert_allclose(got, wanted, atol=1e-4)


@pytest.mark.parametrize("beats", [60, 90, 128, 174])
def test_the_strongest_tempo_is_that_of_a_click_track(beats: int) -> None:
    wave = np.zeros(20 * RATE, np.float32)
    for start in np.arange(0, len(wave) - 200, RATE * 60 / beats):
        wave[int(start) : int(start) + 200] = np.random.default_rng(0).uniform(-1, 1, 200)
    tempi = np.geomspace(30, 300, 60)
    level = heard(Tempogram(TempogramParams(), "cpu"), wave).mean(1)
    best = tempi[level.argmax()]
    # A train of clicks repeats at each whole fraction of its tempo, too.
    fractions = beats / np.arange(1, 5)
    assert np.abs(best / fractions - 1).min() < 0.05


def test_bins_beyond_half_of_the_rate_are_refused_before_any_audio() -> None:
    with pytest.raises(UsageError, match="nothing above 11,025 Hz"):
        params.build(CqtParams, {"n_bins": 120}, "extractor cqt")


@parametrize("cqt", "vqt", "tempogram")
def test_conformance(check) -> None:
    check()
