"""Whisper's log-mel spectrogram, against the one that transformers computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor

from mgc.extractors.whisper_weights import RATE, log_mel
from tests.sounds import music

SECONDS = 30


def heard(seconds: float, gain: float = 1.0) -> np.ndarray:
    """Some music with silence behind it, (30 s of samples,)."""
    wave = np.zeros(SECONDS * RATE, np.float32)
    played = gain * music(seconds, RATE)
    wave[: len(played)] = played
    return wave


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize(("seconds", "gain"), [(30, 1.0), (4.321, 1.0), (30, 1e-4), (1, 0.0)])
def test_equals_the_feature_extractor(mels: int, seconds: float, gain: float) -> None:
    reference = WhisperFeatureExtractor(feature_size=mels)
    wave = heard(seconds, gain)
    expected = reference(wave, sampling_rate=RATE, return_tensors="np").input_features[0]
    got = log_mel(torch.from_numpy(wave)[None], mels)[0].numpy()
    assert got.shape == (mels, 3000)
    assert np.abs(got - expected).max() <= 1e-6


@pytest.mark.parametrize("mels", [80, 128])
def test_is_near_the_float64_reference(mels: int) -> None:
    wave = heard(30)
    # The path that transformers takes without torch: numpy, in double precision.
    expected = WhisperFeatureExtractor(feature_size=mels)._np_extract_fbank_features(
        wave[None].astype(np.float64), "cpu"
    )
    got = log_mel(torch.from_numpy(wave)[None], mels).numpy()
    assert np.abs(got - expected).max() < 2e-4
    assert np.abs(got - expected).mean() < 1e-6


def test_each_window_is_scaled_by_its_own_loudest_cell() -> None:
    loud, quiet = heard(30), heard(30, 1e-3)
    both = log_mel(torch.from_numpy(np.stack([loud, quiet])), 80)
    alone = log_mel(torch.from_numpy(quiet)[None], 80)
    assert torch.allclose(both[1], alone[0], atol=1e-6)
