"""OpenAI's own weights: the words that transformers' pipeline writes down."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mgc_lyrics.lyrics import Lyrics, LyricsParams
from mgc_lyrics.plugin import RATE
from mgc_lyrics.transcription import MAX_REPETITION
from scipy.signal import lfilter

FORMANTS = ((730, 80), (1090, 100), (2440, 140))  # of "ah": frequency and bandwidth in Hz
PITCH = 120  # Hz
VOWEL, PAUSE = 0.18, 0.08  # s


def syllables(count: int) -> np.ndarray:
    """Somebody says "ah" several times: pulses of the glottis through three resonances."""
    time = np.arange(round(VOWEL * RATE)) / RATE
    voice = (np.diff(PITCH * time % 1, prepend=0) < 0).astype(float)
    for frequency, bandwidth in FORMANTS:
        radius, angle = np.exp(-np.pi * bandwidth / RATE), 2 * np.pi * frequency / RATE
        voice = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], voice)
    voice *= 0.3 * np.hanning(len(voice)) ** 0.3 / abs(voice).max()
    return np.tile(np.pad(voice, (0, round(PAUSE * RATE))), count).astype(np.float32)


@pytest.mark.real_weights
def test_words_are_those_of_the_pipeline() -> None:
    from transformers import pipeline

    folder = os.environ.get("MGC_WHISPER", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MGC_WHISPER does not name a folder with a Whisper model")
    sounds = [syllables(count) for count in (3, 1, 5)]
    reference = pipeline("automatic-speech-recognition", folder, dtype=torch.float32, device="cpu")
    greedy = {"num_beams": 1, "do_sample": False, "max_new_tokens": 100}
    with torch.inference_mode():
        together = Lyrics(LyricsParams(model=folder), "cpu").transcripts(
            [torch.from_numpy(sound) for sound in sounds]
        )
    for sound, (got,) in zip(sounds, together, strict=True):
        raw = {"raw": sound, "sampling_rate": RATE}
        wanted = reference(raw, generate_kwargs=greedy)["text"].strip()
        assert wanted.startswith(got.text)
        assert got.text == wanted or got.repetition > MAX_REPETITION
    assert "ah" in together[0][0].text.lower()
