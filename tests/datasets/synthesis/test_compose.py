"""The demo's music: repeatable, in range, and different where it should be."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest

from mgc.datasets.synthesis.compose import GENRES, synthesise
from mgc.datasets.synthesis.voices import VOICES, note

SHORT = 2.0  # seconds: enough for a bar of most genres


def _digest(wave: np.ndarray) -> str:
    return hashlib.sha256(wave.tobytes()).hexdigest()


def _spectrum(wave: np.ndarray) -> np.ndarray:
    """Return energies in 32 bands as a direction, so that loudness does not count."""
    energy = np.abs(np.fft.rfft(wave)) ** 2
    bands = np.log(np.array([part.mean() for part in np.array_split(energy, 32)]) + 1e-9)
    return bands - bands.mean()


def test_same_arguments_give_the_same_samples_in_another_process() -> None:
    program = (
        "import hashlib; from mgc.datasets.synthesis.compose import synthesise;"
        "wave = synthesise('metal', 3, 1, seconds=2.0, seed=5);"
        "print(hashlib.sha256(wave.tobytes()).hexdigest())"
    )
    synthesise("jazz", 0, 0, seconds=SHORT)  # an earlier call must leave no trace
    here = _digest(synthesise("metal", 3, 1, seconds=SHORT, seed=5))
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == here


@pytest.mark.parametrize("genre", GENRES)
@pytest.mark.parametrize(("seconds", "rate"), [(SHORT, 22050), (0.05, 8000), (1.37, 44100)])
def test_waves_are_finite_float32_in_range_and_as_long_as_asked(
    genre: str, seconds: float, rate: int
) -> None:
    wave = synthesise(genre, 0, 0, seconds=seconds, sample_rate=rate)
    assert wave.dtype == np.float32
    assert wave.shape == (round(seconds * rate),)
    assert np.isfinite(wave).all()
    assert 0.3 < np.abs(wave).max() <= 1


def test_genres_artists_tracks_and_seeds_all_differ() -> None:
    asked = [(genre, 0, 0, 0) for genre in GENRES]
    asked += [("rock", 1, 0, 0), ("rock", 0, 1, 0), ("rock", 0, 0, 1)]
    waves = [synthesise(g, a, t, seconds=SHORT, seed=s) for g, a, t, s in asked]
    for one, other in itertools.combinations(waves, 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.5


def test_tracks_of_one_artist_sound_more_alike_than_those_of_two() -> None:
    within, between = [], []
    for genre in GENRES:
        sounds = [
            [_spectrum(synthesise(genre, artist, track, seconds=SHORT)) for track in range(2)]
            for artist in range(4)
        ]
        within += [np.linalg.norm(first - second) for first, second in sounds]
        between += [np.linalg.norm(a[0] - b[1]) for a, b in itertools.permutations(sounds, 2)]
    assert np.mean(within) < 0.75 * np.mean(between)


@pytest.mark.parametrize("name", VOICES)
def test_each_voice_plays_the_pitch_that_it_is_asked_for(name: str) -> None:
    rate, hz = 22050, 233.08  # B flat 3: no whole number of samples a period
    wave = note(VOICES[name], hz, 1.0, 1.0, np.random.default_rng(0), rate)
    power = np.abs(np.fft.rfft(wave * np.hanning(wave.size), 1 << 18))
    partial = np.fft.rfftfreq(1 << 18, 1 / rate)[power.argmax()] / hz
    nearest = round(2 * partial) / 2  # a bell's modulator of ratio 3.5 makes half partials
    assert abs(1200 * np.log2(partial / nearest)) < 12  # cents: chorus and vibrato reach 10


def test_an_unknown_genre_is_named_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"polka.*ambient"):
        synthesise("polka", 0, 0)
