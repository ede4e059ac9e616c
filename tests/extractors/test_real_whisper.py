"""Extractor whisper with OpenAI's own weights, against transformers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.extractors.test_whisper import RATE, clips_of, reference_states, rows, whisper
from tests.sounds import music

SECONDS = 5.0
MAX_ERROR = 1e-4  # of a state, as a share of the largest


@pytest.mark.real_weights
def test_states_equal_whispermodel(real_whisper: Path) -> None:
    wave = music(SECONDS, RATE)
    (states,) = reference_states(real_whisper, [wave])
    for layer, state in enumerate(states):
        (got,) = rows(whisper(real_whisper, layer=layer), clips_of(wave))
        assert abs(got.numpy() - state.T).max() < MAX_ERROR * abs(state).max()


@pytest.mark.real_weights
def test_bfloat16_changes_the_mean_over_time_little(real_whisper: Path) -> None:
    clips = clips_of(music(SECONDS, RATE))
    exact, fast = (
        rows(whisper(real_whisper, precision=precision), clips)[0].mean(1)
        for precision in ("fp32", "bf16")
    )
    assert (fast - exact).norm() < 0.02 * exact.norm()
