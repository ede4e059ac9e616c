"""Levels are those of the whole signal, whatever its blocks; what is no music is told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgc.audio import decoding
from mgc.audio.no_music import Levels, measured, no_music
from tests.sounds import music

RATE = 1_000
QUIET = np.float32(1e-4)


def tone(seconds: float, level: float = 0.1) -> np.ndarray:
    return (level * np.sin(np.arange(round(seconds * RATE)) / 3)).astype(np.float32)


def cut(wave: np.ndarray, seed: int) -> list[np.ndarray]:
    """The signal in blocks of random sizes, among them single samples and several seconds."""
    dice = np.random.default_rng(seed)
    sizes = dice.choice([1, 7, 441, 1_000, 1_024, 2_500, 60_000], size=len(wave))
    return np.split(wave, np.cumsum(sizes)[np.cumsum(sizes) < len(wave)])


def loudest_second(mix: np.ndarray) -> float:
    """The definition, on the whole signal."""
    seconds = [mix[start : start + RATE] for start in range(0, len(mix), RATE)]
    if len(seconds) > 1 and 2 * len(seconds[-1]) <= RATE:
        seconds.pop()
    return max(float(np.sqrt(np.mean(second.astype(np.float64) ** 2))) for second in seconds)


@pytest.mark.parametrize("seed", range(12))
def test_levels_do_not_depend_on_blocks(seed: int) -> None:
    dice = np.random.default_rng(seed)
    length = int(dice.integers(200, 7_000))
    channels = 1 + seed % 3
    wave = dice.standard_normal((length, channels)).astype(np.float32)
    wave *= np.repeat(dice.uniform(0, 0.3, 1 + length // 500), 500)[:length, None].astype("f4")
    found = measured(cut(wave, seed), RATE, channels)
    assert found.loudest == pytest.approx(loudest_second(decoding.mono(wave)), rel=1e-9)
    assert found.peak == np.abs(wave).max()
    assert found.length == length
    np.testing.assert_allclose(found.energy, (wave.astype(np.float64) ** 2).sum(axis=0))


NOISE = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
ZERO = np.zeros(4 * RATE, np.float32)
ONE = np.ones(4 * RATE, np.float32)
KINDS = {
    "music": ([tone(4)], ""),
    "music after a long silence": ([np.concatenate([ZERO, tone(0.6)])], ""),
    "music with a constant offset": ([tone(4) + 0.5], ""),
    "one dead channel": ([tone(4), ZERO], ""),
    "channels that nearly cancel": ([tone(4), -0.9 * tone(4)], ""),
    "digital silence": ([ZERO], "is digital silence"),
    "digital silence in stereo": ([ZERO, ZERO], "is digital silence"),
    "a constant value": ([0.3 * ONE], "holds a constant value only (DC)"),
    "a small constant value": ([1e-5 * ONE], "holds a constant value only (DC)"),
    "constant values that cancel": ([0.3 * ONE, -0.3 * ONE], "holds a constant value only (DC)"),
    "a constant value and dither": (
        [0.3 * ONE + 1e-5 * NOISE],
        "holds a constant value only (DC)",
    ),
    "antiphase": ([tone(4), -tone(4)], "its channels cancel each other when mixed to mono"),
    "antiphase after mp3": (
        [tone(4), -tone(4) + 1e-5 * NOISE],
        "its channels cancel each other when mixed to mono",
    ),
    "three channels that cancel": (
        [tone(4), tone(4), -2 * tone(4)],
        "its channels cancel each other when mixed to mono",
    ),
    "noise at -80 dBFS": ([QUIET * NOISE], "its loudest second is at -80 dBFS"),
    "a quiet channel beside a dead one": (
        [tone(4, 0.002), ZERO],
        "its loudest second is at -63 dBFS",
    ),
    "antiphase at -80 dBFS": ([QUIET * NOISE, -QUIET * NOISE], "its loudest second is at -80 dBFS"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_holds_no_music_is_told_apart(kind: str) -> None:
    channels, said = KINDS[kind]
    wave = np.stack([channel.astype(np.float32) for channel in channels], axis=1)
    for seed in range(3):
        assert measured(cut(wave, seed), RATE, len(channels)).no_music() == said


def test_a_short_rest_at_the_end_does_not_count() -> None:
    assert measured([tone(1.4, 0.0001)[:, None]], RATE, 1).loudest < 1e-3
    burst = np.concatenate([np.zeros(RATE, np.float32), tone(0.4, 0.5)])
    assert measured([burst[:, None]], RATE, 1).loudest == 0
    assert measured([burst[-400:, None]], RATE, 1).loudest > 0.3


def test_levels_of_nothing() -> None:
    assert Levels(RATE, 2).length == 0


def test_a_file_is_decoded_again_only_if_its_clips_are_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = music(2.0)
    soundfile.write(tmp_path / "a.flac", np.stack([left, -left], axis=1), 22_050)
    intro = np.concatenate([np.zeros(44_100, np.float32), left])
    soundfile.write(tmp_path / "b.flac", intro, 22_050)
    said = {}
    for name in ("a", "b"):
        wave, rate = decoding.decode(tmp_path / f"{name}.flac", seconds=1.5)
        said[name] = no_music(tmp_path / f"{name}.flac", [wave], rate)
    assert said == {
        "a": "its channels cancel each other when mixed to mono",
        "b": "is silent in the parts of it that are heard",
    }
    monkeypatch.setattr(decoding, "opened", None)
    assert no_music(tmp_path / "b.flac", [wave, left], rate) == ""
