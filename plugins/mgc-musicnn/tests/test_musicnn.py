"""The extractor: librosa's numbers, patches, and mgc's contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from mgc_musicnn import tags
from mgc_musicnn import weights as stored
from mgc_musicnn.musicnn import Musicnn, MusicnnParams, log_mel, patches

from mgc.audio.clips import Clips
from mgc.checks import parametrize

RATE = 16_000
SECOND = np.arange(RATE) / RATE
SOUNDS = {
    "noise": np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE),
    "tones": 0.3 * np.sin(2 * np.pi * 440 * SECOND) + 0.1 * np.sin(2 * np.pi * 3_000 * SECOND),
    "quiet": 1e-3 * np.random.default_rng(1).standard_normal(RATE),
    "silence": np.zeros(RATE),
    "a sample": np.full(1, 0.5),
}


def clips(*waves: np.ndarray) -> Clips:
    lengths = torch.tensor([len(wave) for wave in waves])
    padded = [np.pad(wave, (0, int(lengths.max()) - len(wave))) for wave in waves]
    return Clips(torch.from_numpy(np.stack(padded).astype(np.float32)), RATE, lengths)


def extractor(**settings: Any) -> Musicnn:
    return Musicnn(MusicnnParams(**settings), "cpu")


@pytest.mark.filterwarnings("ignore:n_fft")
@pytest.mark.parametrize("sound", SOUNDS)
def test_the_front_end_is_librosas(sound: str) -> None:
    wave = SOUNDS[sound].astype(np.float32)
    mel = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=512, hop_length=256, n_mels=96)
    wanted = np.log10(10_000 * mel + 1)
    # Bands far below a tone hold the rounding errors of the transform.
    limit = 1e-5 * max(1.0, wanted.max())
    np.testing.assert_allclose(log_mel(clips(wave))[0].T, wanted, rtol=1e-5, atol=limit)


@pytest.mark.parametrize(
    ("frames", "wanted"),
    [(1, [0] * 187), (100, [*range(100), *range(87)]), (187, range(187)), (373, range(187)),
     (374, range(374))],
)  # fmt: skip
def test_a_remainder_is_left_out_and_a_short_clip_repeated(frames: int, wanted: Any) -> None:
    mel = torch.arange(frames, dtype=torch.float32)[:, None].expand(-1, 96)
    cut = patches(mel)
    assert cut.shape[1:] == (187, 96)
    assert cut[..., 0].flatten().tolist() == list(wanted)


@pytest.mark.parametrize("output", ["pooled", "penultimate", "tags", "frames"])
def test_a_clip_is_the_mean_of_its_patches(output: str, weights: Path) -> None:
    wave = SOUNDS["noise"][: 187 * 256 + 600]
    twice = np.concatenate([wave, wave[::-1]])
    made = extractor(output=output)
    got = made(clips(twice, wave))
    assert tuple(got.shape[1:]) == made.feature_shape(len(twice))
    mel = log_mel(clips(twice))
    run = getattr(made._network, output)
    if output == "frames":
        torch.testing.assert_close(got[0], run(mel)[0], rtol=1e-4, atol=1e-4)
        return
    cut = [mel[:, first : first + 187] for first in (0, 187)]
    torch.testing.assert_close(got[0], sum(map(run, cut))[0] / 2, rtol=1e-4, atol=1e-4)


def test_the_two_sets_of_weights_differ_and_name_their_tags(weights: Path) -> None:
    first, second = extractor(), extractor(weights="mtt")
    assert first.identity() != second.identity()
    assert not torch.allclose(first(clips(SOUNDS["noise"])), second(clips(SOUNDS["noise"])))
    assert extractor(output="tags").feature_axis(RATE) == ("tag", tags.MSD)
    assert extractor(output="tags", weights="mtt").feature_axis(RATE) == ("tag", tags.MTT)
    assert len(set(tags.MSD)) == len(set(tags.MTT)) == 50


def test_the_record_names_the_file_of_the_weights() -> None:
    from mgc.plugins import registry

    (entry,) = [e for e in registry.catalogue().entries("extractor") if e.info.name == "musicnn"]
    assert (stored.home() / entry.info.weights) == stored.path("msd")


@pytest.mark.usefixtures("weights")
@parametrize("musicnn")
def test_the_default_conforms(check: Any) -> None:
    check()


@pytest.mark.usefixtures("weights")
@parametrize("musicnn", settings=lambda: {"output": "frames", "weights": "mtt"})
def test_frames_conform(check: Any) -> None:
    check()
