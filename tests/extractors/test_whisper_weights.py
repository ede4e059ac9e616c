"""Whisper's weights: found offline, identified by content, refused where they are not sound."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mgc.errors import MgcError
from mgc.extractors.whisper import Whisper, WhisperParams
from mgc.extractors.whisper_weights import WhisperWeights, known_size
from tests.extractors import tiny_whisper
from tests.extractors.test_whisper import clips_of, whisper
from tests.sounds import music


@pytest.fixture
def copy(whisper_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    return Path(shutil.copytree(whisper_folder, tmp_path / "copy"))


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hugging Face's cache without anything in it."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    return cache


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to connect fails the test."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def hear(folder: Path) -> torch.Tensor:
    return whisper(folder, layer="last", stride=10)(clips_of(music(1.0, 16_000)))


def test_construction_touches_no_file() -> None:
    extractor = Whisper(WhisperParams(model="/nowhere/at-all", layer="all"), "cpu")
    assert extractor.kind == "layers"
    assert extractor.frame_count(480_000) == 150


def test_missing_weights_name_the_command_that_fetches_them(empty_cache, no_network) -> None:
    with pytest.raises(MgcError, match="'openai/whisper-base' is not on this machine") as caught:
        Whisper(WhisperParams(), "cpu").identity()
    assert "mgc features fetch whisper (" in caught.value.hint
    with pytest.raises(MgcError, match="not on this machine") as caught:
        Whisper(WhisperParams(model="openai/whisper-small"), "cpu")(clips_of(music(1.0, 16_000)))
    assert "mgc features fetch whisper --set model=openai/whisper-small" in caught.value.hint


@pytest.mark.parametrize("model", ["./absent", "/no/such/folder", "~/absent", "a/b/c", "a b"])
def test_a_path_that_is_not_there_is_no_hub_name(model: str, no_network) -> None:
    with pytest.raises(MgcError, match="There is no folder"):
        WhisperWeights(model).folder  # noqa: B018
    with pytest.raises(MgcError, match="There is no folder"):
        WhisperWeights(model).fetch()


def test_the_hub_cache_is_read_without_network(whisper_folder, empty_cache, no_network) -> None:
    snapshot = empty_cache / "models--some--whisper" / "snapshots" / ("0" * 40)
    shutil.copytree(whisper_folder, snapshot)
    refs = empty_cache / "models--some--whisper" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    cached = Whisper(WhisperParams(model="some/whisper", precision="fp32"), "cpu")
    local = Whisper(WhisperParams(model=str(whisper_folder), precision="fp32"), "cpu")
    assert cached.identity() == local.identity()
    clips = clips_of(music(1.0, 16_000))
    assert torch.equal(cached(clips), local(clips))


def test_a_snapshot_without_its_weights_is_to_be_fetched_again(whisper_folder, empty_cache) -> None:
    snapshot = empty_cache / "models--some--whisper" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    shutil.copy(whisper_folder / "config.json", snapshot)
    refs = empty_cache / "models--some--whisper" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    extractor = Whisper(WhisperParams(model="some/whisper"), "cpu")
    assert extractor.feature_shape(480_000) == (64, 150)
    with pytest.raises(MgcError, match=r"has no model\.safetensors") as caught:
        extractor.identity()
    assert caught.value.hint.endswith("mgc features fetch whisper --set model=some/whisper")


@pytest.mark.parametrize("bare", [True, False])
def test_shards_and_names_do_not_matter(whisper_folder, tmp_path: Path, bare: bool) -> None:
    sharded = tiny_whisper.save(tmp_path / "sharded", bare=bare, max_shard_size="200KB")
    assert len(list(sharded.glob("model-*-of-*.safetensors"))) > 2
    assert not (sharded / "model.safetensors").exists()
    whole = tiny_whisper.save(tmp_path / "whole", bare=bare)
    assert WhisperWeights(str(sharded)).digest() == WhisperWeights(str(whole)).digest()
    assert torch.equal(hear(sharded), hear(whole))


def test_identity_follows_the_encoder_and_nothing_else(copy: Path) -> None:
    before = whisper(copy).identity()
    assert before.endswith(" fp32")
    assert whisper(copy, precision="bf16").identity() == before.replace("fp32", "bf16")

    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "transformers_version": "0.0"}))
    tensors = load_file(copy / "model.safetensors")
    decoder = next(name for name in tensors if ".decoder." in name)
    save_file({**tensors, decoder: tensors[decoder] + 1}, copy / "model.safetensors")
    assert whisper(copy).identity() == before

    name = "model.encoder.layers.2.fc2.bias"
    save_file({**tensors, name: tensors[name] + 1e-3}, copy / "model.safetensors")
    assert whisper(copy).identity() != before


def test_a_changed_file_is_seen_within_a_process(copy: Path) -> None:
    before = whisper(copy).identity()
    other = tiny_whisper.save(copy.parent / "other", seed=1)
    shutil.copy(other / "model.safetensors", copy / "model.safetensors")
    assert whisper(copy).identity() != before


def test_the_decoder_need_not_be_there(copy: Path) -> None:
    expected, identity = hear(copy), whisper(copy).identity()
    tensors = load_file(copy / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "decoder" not in name}
    assert len(kept) < len(tensors)
    save_file(kept, copy / "model.safetensors")
    assert torch.equal(hear(copy), expected)
    assert whisper(copy).identity() == identity


def test_half_precision_files_are_widened(copy: Path) -> None:
    expected = hear(copy)
    tensors = load_file(copy / "model.safetensors")
    halves = {name: tensor.half() for name, tensor in tensors.items()}
    save_file(halves, copy / "model.safetensors")
    error = (hear(copy) - expected).norm() / expected.norm()
    assert 0 < error < 2e-3


def only_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def half_a_file(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def no_file_at_all(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def a_tensor_less(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.encoder.layers.1.fc1.weight"]
    save_file(tensors, folder / "model.safetensors")


def another_width(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "encoder_ffn_dim": 100}))


def another_model(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert", "hidden_size": 8}')


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def config_is_a_list(folder: Path) -> None:
    (folder / "config.json").write_text("[1]")


def config_without_width(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "whisper", "encoder_layers": 3}')


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def missing_shard(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    shards = {"weight_map": {"model.encoder.conv1.weight": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(shards))


def broken_index(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": 3}')


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (only_a_pickle, r"pytorch_model\.bin only: a pickle"),
        (no_weights, r"has no model\.safetensors"),
        (half_a_file, r"model\.safetensors cannot be read"),
        (no_file_at_all, r"model\.safetensors cannot be read"),
        (a_tensor_less, r"has no tensor encoder\.layers\.1\.fc1\.weight"),
        (another_width, "do not fit its config"),
        (another_model, "describes a 'bert' model"),
        (broken_config, r"config\.json cannot be read"),
        (config_is_a_list, r"config\.json cannot be read"),
        (config_without_width, r"config\.json cannot be read.*d_model"),
        (no_config, r"config\.json cannot be read"),
        (missing_shard, r"model-00001-of-00002\.safetensors, named in .*, is missing"),
        (broken_index, r"index\.json cannot be read"),
    ],
)
def test_what_is_not_sound_is_refused_with_advice(
    copy: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(copy)
    with pytest.raises(MgcError, match=message) as caught:
        hear(copy)
    assert str(copy) in caught.value.message
    assert caught.value.hint


def test_a_pickle_is_never_opened(copy: Path) -> None:
    only_a_pickle(copy)
    (copy / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(MgcError) as caught:
        whisper(copy).identity()
    assert "save_pretrained" in caught.value.hint


def test_size_names_cover_the_hub() -> None:
    known = {
        "openai/whisper-tiny": (384, 4),
        "openai/whisper-base.en": (512, 6),
        "openai/whisper-large-v2": (1280, 32),
        "openai/whisper-large-v3-turbo": (1280, 32),
        "openai/whisper-huge": None,
        "distil-whisper/distil-large-v3": None,
    }
    assert {name: known_size(name) for name in known} == known


def test_features_are_finite_for_silence(whisper_folder) -> None:
    made = whisper(whisper_folder, layer="all")(clips_of(np.zeros(16_000, np.float32)))
    assert torch.isfinite(made).all()
