"""Extractor whisper: its numbers against transformers' WhisperModel, and what may not change
them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mgc.audio.clips import Clips
from mgc.errors import UsageError
from mgc.extractors.whisper import Whisper, WhisperParams, resolved_precision
from mgc.plugins import params
from tests.extractors import tiny_whisper
from tests.extractors.tiny_whisper import BLOCKS, FEATURES
from tests.sounds import music

RATE = 16_000
SECONDS = (30.0, 7.31)
STATES = range(BLOCKS + 1)


def clips_of(*waves: np.ndarray, filler: float = 0.0) -> Clips:
    """Waves of any length as one batch; ``filler`` times noise stands behind the shorter."""
    longest = max(map(len, waves))
    rows = filler * np.random.default_rng(1).standard_normal((len(waves), longest))
    for row, wave in zip(rows, waves, strict=True):
        row[: len(wave)] = wave
    lengths = torch.tensor([len(wave) for wave in waves])
    return Clips(torch.from_numpy(rows.astype(np.float32)), RATE, lengths)


def whisper(folder: Path, device: str = "cpu", **settings: Any) -> Whisper:
    settings = {"precision": "fp32", "stride": 1, **settings}
    return Whisper(WhisperParams(model=str(folder), **settings), device)


def positions(wave: np.ndarray) -> int:
    return -(-len(wave) // 320)


@pytest.fixture(scope="session")
def waves() -> list[np.ndarray]:
    return [music(seconds, RATE, seed) for seed, seconds in enumerate(SECONDS)]


def reference_states(folder: Path, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
    """transformers' own encoder states of each wave: (state, position, feature), padding cut."""
    from transformers import WhisperFeatureExtractor, WhisperModel

    mel = WhisperFeatureExtractor.from_pretrained(folder)(
        list(waves), sampling_rate=RATE, return_tensors="pt"
    ).input_features
    with torch.inference_mode():
        model = WhisperModel.from_pretrained(folder, dtype=torch.float32).eval()
        states = model.encoder(mel, output_hidden_states=True).hidden_states
    stacked = torch.stack(states, dim=1).numpy()
    return [row[:, : positions(wave)] for row, wave in zip(stacked, waves, strict=True)]


@pytest.fixture(scope="session")
def states(whisper_folder: Path, waves: list[np.ndarray]) -> list[np.ndarray]:
    return reference_states(whisper_folder, waves)


def rows(extractor: Whisper, clips: Clips) -> list[Tensor]:
    """Each clip's feature with the padding cut off, as extraction does it."""
    made = extractor(clips)
    assert made.dtype == torch.float32
    if extractor.kind == "layers":
        return list(made)
    return [
        row[:, : extractor.frame_count(int(length))]
        for row, length in zip(made, clips.lengths, strict=True)
    ]


def largest_error(got: Tensor, expected: np.ndarray) -> float:
    assert tuple(got.shape) == expected.shape
    return float(np.abs(got.numpy() - expected).max())


@pytest.mark.parametrize(
    ("layer", "state"), [(n, n) for n in STATES] + [("last", -1), (-1, -1), (-2, -2), (-4, 0)]
)
def test_states_equal_whispermodel(whisper_folder, waves, states, layer, state) -> None:
    got = rows(whisper(whisper_folder, layer=layer), clips_of(*waves))
    for row, expected in zip(got, states, strict=True):
        assert largest_error(row, expected[state].T) < 1e-5


def test_mean_gives_every_block_one_voice(whisper_folder, waves, states) -> None:
    got = rows(whisper(whisper_folder, layer="mean"), clips_of(*waves))
    for row, found in zip(got, states, strict=True):
        blocks = found[1:].astype(np.float64)
        centred = blocks - blocks.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(blocks.var(-1, keepdims=True) + 1e-5)
        assert largest_error(row, scaled.mean(0).T) < 1e-5


def test_all_is_mean_and_deviation_of_the_valid_positions(whisper_folder, waves, states) -> None:
    extractor = whisper(whisper_folder, layer="all")
    assert extractor.kind == "layers"
    for row, found in zip(rows(extractor, clips_of(*waves)), states, strict=True):
        exact = found.astype(np.float64)
        expected = np.concatenate([exact.mean(1), exact.std(1)], axis=1)
        assert largest_error(row, expected) < 1e-5


def test_stride_averages_neighbours(whisper_folder, waves, states) -> None:
    got = rows(whisper(whisper_folder, layer=2, stride=10), clips_of(*waves))
    for row, found in zip(got, states, strict=True):
        cuts = range(0, found.shape[1], 10)
        expected = np.stack([found[2, start : start + 10].mean(0) for start in cuts], axis=1)
        assert largest_error(row, expected) < 1e-5


@pytest.mark.parametrize("layer", [1, "mean", "all"])
def test_what_stands_in_the_padding_does_not_matter(whisper_folder, waves, layer) -> None:
    extractor = whisper(whisper_folder, layer=layer)
    silent = rows(extractor, clips_of(*waves))
    noisy = rows(extractor, clips_of(*waves, filler=1.0))
    assert all(torch.equal(a, b) for a, b in zip(silent, noisy, strict=True))


@pytest.mark.parametrize("layer", [1, "mean", "all"])
@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_alone_and_in_a_batch_the_numbers_are_the_same(
    whisper_folder, waves, layer, precision
) -> None:
    extractor = whisper(whisper_folder, layer=layer, stride=10, precision=precision)
    longer = music(31.0, RATE, seed=5)
    together = rows(extractor, clips_of(*waves, longer))
    for row, wave in zip(together, [*waves, longer], strict=True):
        assert torch.equal(row, rows(extractor, clips_of(wave))[0])


@pytest.mark.parametrize("layer", ["last", "all"])
def test_windows_side_by_side_as_on_a_gpu(whisper_folder, waves, layer) -> None:
    one_by_one = rows(whisper(whisper_folder, layer=layer), clips_of(*waves))
    # "cpu:0" is a CPU that the extractor treats as it treats a GPU: many windows at once.
    at_once = rows(whisper(whisper_folder, "cpu:0", layer=layer), clips_of(*waves))
    for a, b in zip(one_by_one, at_once, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_longer_audio_is_heard_in_windows_of_30_s(whisper_folder) -> None:
    wave = music(64.5, RATE, seed=3)
    windows = [wave[start : start + 30 * RATE] for start in range(0, len(wave), 30 * RATE)]
    extractor = whisper(whisper_folder, layer="last")
    whole = rows(extractor, clips_of(wave))[0]
    parts = [rows(extractor, clips_of(window))[0] for window in windows]
    assert [part.shape[1] for part in parts] == [1500, 1500, 225]
    assert torch.equal(whole, torch.cat(parts, dim=1))
    pooled = rows(whisper(whisper_folder, layer="all"), clips_of(wave))[0][-1]
    positions = whole.double()
    expected = torch.cat([positions.mean(1), positions.std(1, correction=0)])
    assert torch.allclose(pooled.double(), expected, atol=1e-5)


def test_models_with_128_mel_bands(tmp_path: Path, waves) -> None:
    folder = tiny_whisper.save(tmp_path / "large", mels=128, bare=True)
    got = rows(whisper(folder, layer="last"), clips_of(*waves))
    expected = reference_states(folder, waves)
    assert all(largest_error(a, b[-1].T) < 1e-5 for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 3200, 3201, 4000, 479_999, 480_000, 480_001])
@pytest.mark.parametrize("stride", [1, 10])
def test_frame_count_is_what_comes_out(whisper_folder, samples: int, stride: int) -> None:
    extractor = whisper(whisper_folder, layer=1, stride=stride)
    made = extractor(clips_of(music(31, RATE)[:samples]))
    assert made.shape == (1, FEATURES, extractor.frame_count(samples))
    assert extractor.feature_shape(samples) == tuple(made.shape[1:])


def test_feature_shape_of_all(whisper_folder, waves) -> None:
    extractor = whisper(whisper_folder, layer="all")
    assert extractor.feature_shape(480_000) == tuple(extractor(clips_of(waves[0])).shape[1:])


@pytest.mark.parametrize(
    ("model", "layer", "shape"),
    [
        ("openai/whisper-base", "mean", (512, 150)),
        ("openai/whisper-tiny.en", "last", (384, 150)),
        ("openai/whisper-medium", -1, (1024, 150)),
        ("openai/whisper-large-v3", "all", (33, 2560)),
        ("openai/whisper-large-v3-turbo", 16, (1280, 150)),
    ],
)
def test_shapes_of_openais_models_are_known_without_weights(model, layer, shape) -> None:
    extractor = Whisper(WhisperParams(model=model, layer=layer), "cpu")
    assert extractor.feature_shape(480_000) == shape


def test_default_keeps_fma_small_below_4_gb() -> None:
    features, frames = Whisper(WhisperParams(), "cpu").feature_shape(480_000)
    assert 8_000 * features * frames * 2 < 4e9


def test_only_the_blocks_below_the_layer_are_loaded(whisper_folder) -> None:
    extractor = whisper(whisper_folder, layer=1)
    names = dict(extractor._encoder.named_parameters())
    assert {name.split(".")[1] for name in names if name.startswith("layers.")} == {"0"}
    assert not any("decoder" in name for name in names)


@pytest.mark.parametrize(
    ("text", "layer"),
    [("3", 3), ("-1", -1), ("0", 0), ("last", "last"), ("mean", "mean"), ("all", "all")],
)
def test_layer_is_read_from_text(text: str, layer: int | str) -> None:
    values = params.parse_assignments([f"layer={text}"])
    assert params.build(WhisperParams, values, "extractor whisper").layer == layer


@pytest.mark.parametrize(
    "text", ["layer=first", "layer=1.5", "stride=0", "stride=-2", "precision=fp64"]
)
def test_wrong_settings_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=text.partition("=")[0]):
        params.build(WhisperParams, params.parse_assignments([text]), "extractor whisper")


@pytest.mark.parametrize("layer", [BLOCKS + 1, -BLOCKS - 2])
def test_a_layer_that_is_not_there_is_refused_before_any_audio(whisper_folder, layer) -> None:
    with pytest.raises(UsageError, match="its layers are 0 to 3"):
        whisper(whisper_folder, layer=layer).identity()


def test_bf16_and_int8_stay_near(whisper_folder, waves) -> None:
    exact = rows(whisper(whisper_folder, layer="all"), clips_of(waves[0]))[0]
    for precision, bound in (("bf16", 0.02), ("int8", 0.1)):
        near = rows(whisper(whisper_folder, layer="all", precision=precision), clips_of(waves[0]))[
            0
        ]
        error = float((near - exact).norm() / exact.norm())
        assert 0 < error < bound, precision


def test_precision_follows_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def cpu_with(**found: bool) -> str:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
        return resolved_precision("auto", "cpu")

    assert cpu_with(avx512_bf16=True) == cpu_with(amx_bf16=True) == "bf16"
    assert cpu_with(avx512_bf16=False, avx2=True) == "fp32"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert resolved_precision("auto", "cuda") == "bf16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    assert resolved_precision("auto", "cuda") == "fp32"
    assert resolved_precision("bf16", "cpu") == "bf16"
    with pytest.raises(UsageError, match="int8"):
        resolved_precision("int8", "cuda")
