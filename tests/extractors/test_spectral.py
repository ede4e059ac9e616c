"""mel, MFCC and chroma: every number against librosa's own."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.fft
import torch

from mgc.audio.clips import Clips
from mgc.errors import UsageError
from mgc.extractors import chroma, mel, texture
from mgc.extractors.chroma import Chroma, ChromaParams
from mgc.extractors.mel import Mel, MelParams, Mfcc, MfccParams
from mgc.extractors.texture import Texture, TextureParams
from mgc.plugins import params
from tests.sounds import music

RATE = 22_050
SOUNDS = {
    "music": music(4.0, RATE, seed=1),
    "other music": music(2.3, RATE, seed=5),
    "noise": np.random.default_rng(0).uniform(-1, 1, 30_000).astype(np.float32),
    "quiet": 1e-4 * music(1.0, RATE, seed=2),
    "one frame": music(1.0, RATE, seed=3)[:300],
    "a tone": np.sin(2 * np.pi * 440 * np.arange(40_000) / RATE).astype(np.float32),
    "silence then a click": np.eye(1, 30_000, 20_000, dtype=np.float32)[0],
}


@pytest.fixture(params=SOUNDS)
def wave(request: pytest.FixtureRequest) -> np.ndarray:
    return SOUNDS[request.param]


def apply(extractor, wave: np.ndarray) -> np.ndarray:
    return extractor(Clips(wave[None], RATE))[0]


@pytest.mark.parametrize(
    ("set_to", "melspectrogram", "power_to_db"),
    [
        ({}, {}, {}),
        ({"n_mels": 96, "n_fft": 1024}, {"n_mels": 96, "n_fft": 1024}, {}),
        ({"fmin": 30.0, "fmax": 8000.0}, {"fmin": 30.0, "fmax": 8000.0}, {}),
        ({"top_db": None}, {}, {"top_db": None}),
        ({"top_db": 40.0}, {}, {"top_db": 40.0}),
        ({"ref": "max"}, {}, {"ref": np.max}),
        ({"n_mels": 20}, {"n_mels": 20}, {}),
    ],
)
def test_mel_is_librosa_s(wave: np.ndarray, set_to, melspectrogram, power_to_db) -> None:
    if "top_db" in set_to and set_to["top_db"] is None and wave is SOUNDS["a tone"]:
        pytest.skip("120 dB below the tone there is the rounding of float32 alone")
    made = apply(Mel(MelParams(**set_to), "cpu"), wave)
    power = librosa.feature.melspectrogram(y=wave, sr=RATE, **melspectrogram)
    expected = librosa.power_to_db(power, **power_to_db)
    assert made.shape == expected.shape
    np.testing.assert_allclose(made, expected, atol=1e-3)


@pytest.mark.parametrize("set_to", [{}, {"n_mfcc": 20}, {"n_mels": 64, "n_fft": 1024}])
def test_mfcc_is_librosa_s(wave: np.ndarray, set_to) -> None:
    made = apply(Mfcc(MfccParams(**set_to), "cpu"), wave)
    expected = librosa.feature.mfcc(y=wave, sr=RATE, **{"n_mfcc": 40, **set_to})
    np.testing.assert_allclose(made, expected, atol=2e-3)


@pytest.mark.parametrize("set_to", [{}, {"tuning": 0.0}, {"tuning": -0.31}, {"n_chroma": 24}])
def test_chroma_is_librosa_s(wave: np.ndarray, set_to) -> None:
    if "tuning" not in set_to and wave is SOUNDS["silence then a click"]:
        pytest.skip("a click is flat: its peaks, and so its tuning, are rounding noise")
    made = apply(Chroma(ChromaParams(**set_to), "cpu"), wave)
    expected = librosa.feature.chroma_stft(y=wave, sr=RATE, **set_to)
    np.testing.assert_allclose(made, expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("n_chroma", [12, 24, 36])
def test_tuning_is_librosa_s(seed: int, n_chroma: int) -> None:
    wave = music(3.0, RATE, seed=seed)
    power = Clips(wave[None], RATE).power(2048, 512)[0]
    made = chroma.estimate_tuning(power, RATE, 2048, n_chroma)
    expected = librosa.estimate_tuning(S=power.T, sr=RATE, n_fft=2048, bins_per_octave=n_chroma)
    assert made == pytest.approx(expected, abs=1e-12)


def test_tuning_of_silence_is_none() -> None:
    assert chroma.estimate_tuning(np.zeros((5, 1025), np.float32), RATE, 2048, 12) == 0.0


@pytest.mark.parametrize(("rate", "n_fft"), [(22_050, 2048), (16_000, 512), (44_100, 4096)])
@pytest.mark.parametrize(("fmin", "fmax"), [(0.0, None), (27.5, 7_000.0), (1_500.0, 4_000.0)])
@pytest.mark.parametrize("n_mels", [16, 40, 128])
def test_mel_filters_are_librosa_s(rate, n_fft, fmin, fmax, n_mels) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    np.testing.assert_allclose(
        mel.mel_bands(rate, n_fft, n_mels, fmin, fmax), expected.T, rtol=1e-5
    )


@pytest.mark.parametrize(("rate", "n_fft"), [(22_050, 2048), (16_000, 512), (44_100, 4096)])
@pytest.mark.parametrize(("n_chroma", "tuning"), [(12, 0.0), (12, 0.27), (24, -0.4)])
def test_chroma_filters_are_librosa_s(rate, n_fft, n_chroma, tuning) -> None:
    expected = librosa.filters.chroma(sr=rate, n_fft=n_fft, n_chroma=n_chroma, tuning=tuning)
    made = chroma.chroma_bands(rate, n_fft, n_chroma, tuning)
    np.testing.assert_allclose(made, expected.T, atol=1e-6)


@pytest.mark.parametrize(("n_mels", "n_mfcc"), [(128, 40), (64, 64), (20, 1)])
def test_dct_is_scipy_s(n_mels: int, n_mfcc: int) -> None:
    expected = scipy.fft.dct(np.eye(n_mels), norm="ortho", axis=0)[:n_mfcc]
    np.testing.assert_allclose(mel._dct(n_mels, n_mfcc), expected, atol=1e-7)


EXTRACTORS = [
    Mel(MelParams(), "cpu"),
    Mel(MelParams(ref="max"), "cpu"),
    Mfcc(MfccParams(), "cpu"),
    Chroma(ChromaParams(), "cpu"),
]


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_tensors_give_the_same_as_arrays(extractor) -> None:
    """A tensor that is not turned into an array takes the way of a GPU's."""
    waves = np.stack([SOUNDS[name][: 2 * RATE] for name in ("music", "other music")])
    on_cpu, on_gpu = Clips(waves, RATE, [2 * RATE, RATE]), Clips(waves, RATE, [2 * RATE, RATE])
    on_gpu.samples = torch.from_numpy(waves)
    made = extractor(on_gpu)
    assert isinstance(made, torch.Tensor)
    np.testing.assert_allclose(made.numpy(), extractor(on_cpu), atol=1e-3)


def test_a_texture_of_tensors_is_that_of_arrays() -> None:
    on_cpu, on_gpu = (Clips(SOUNDS["music"][None], RATE) for _ in range(2))
    on_gpu.samples = on_gpu.waves
    made = Texture(TextureParams(), "cpu")
    np.testing.assert_allclose(made(on_gpu), made(on_cpu), atol=1e-3)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_a_clip_gives_the_same_alone_and_in_a_batch(extractor) -> None:
    waves = [SOUNDS[name] for name in ("music", "other music", "quiet")]
    longest = max(map(len, waves))
    batch = np.stack([np.pad(w, (0, longest - len(w))) for w in waves])
    together = extractor(Clips(batch, RATE, [len(w) for w in waves]))
    for row, wave in zip(together, waves, strict=True):
        alone = apply(extractor, wave)
        # The last frame hears the padding of the batch where alone it hears the same zeros.
        np.testing.assert_allclose(row[:, : alone.shape[1]], alone, atol=1e-4)


def test_the_spectrum_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = Clips(SOUNDS["music"][None], RATE)
    calls = []
    rfft = scipy.fft.rfft
    monkeypatch.setattr(scipy.fft, "rfft", lambda x: calls.append(1) or rfft(x))
    Mel(MelParams(), "cpu")(clips)
    once = len(calls)
    Mfcc(MfccParams(), "cpu")(clips)
    Chroma(ChromaParams(), "cpu")(clips)
    assert once > 0
    assert len(calls) == once


@pytest.mark.parametrize(
    ("cls", "settings"),
    [
        (MelParams, {"n_mels": 0}),
        (MelParams, {"n_fft": 1}),
        (MelParams, {"n_fft": 2047}),
        (MelParams, {"fmin": 9_000.0, "fmax": 300.0}),
        (MelParams, {"fmin": -1.0}),
        (MelParams, {"fmin": 11_025.0}),
        (MelParams, {"fmin": 20_000.0, "fmax": 30_000.0}),
        (MfccParams, {"fmin": 20_000.0}),
        (MelParams, {"top_db": 0.0}),
        (MelParams, {"ref": "loud"}),
        (MfccParams, {"n_mfcc": 0}),
        (MfccParams, {"n_mfcc": 129}),
        (MfccParams, {"n_fft": -2048}),
        (ChromaParams, {"n_chroma": 0}),
        (ChromaParams, {"n_fft": 2}),
        (ChromaParams, {"tuning": "high"}),
        (ChromaParams, {"tuning": -1e9}),
    ],
)
def test_parameters_that_cannot_work_are_refused(cls, settings) -> None:
    with pytest.raises(UsageError):
        params.build(cls, settings, "extractor it")


def test_a_texture_holds_a_second_of_the_silence_around_a_sound() -> None:
    generator = torch.Generator().manual_seed(3)
    sound = (torch.rand((200, 1025), generator=generator) + 0.1).numpy()
    silent = np.full((500, 1025), 1e-12, np.float32)
    second = 22_050 // texture.HOP
    bare = texture.statistics(np.concatenate([silent[:second], sound, silent[:second]]), 22_050)
    long = texture.statistics(np.concatenate([silent[:300], sound, silent]), 22_050)
    np.testing.assert_allclose(long, bare, rtol=1.3e-6, atol=1e-5)
    inside = np.concatenate([sound, silent, sound])  # silence within is a part of it
    assert not np.allclose(texture.statistics(inside, 22_050), bare, atol=0.1)
    assert np.isfinite(texture.statistics(silent * 0, 22_050)).all()
