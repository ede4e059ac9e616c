"""Which weights are read, which are refused and why, and where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from mgc import MgcError
from mgc.extractors import pretrained_weights

from . import tiny
from .models import extractor, folder, heard, wave


def test_weights_saved_under_torchs_older_names_are_the_same(tmp_path: Path) -> None:
    """The hub's copies of these models were saved before torch renamed weight norm's tensors."""
    tiny.mert(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    new = "encoder.pos_conv_embed.conv.parametrizations.weight.original"
    old = {
        name.replace(f"{new}0", "encoder.pos_conv_embed.conv.weight_g").replace(
            f"{new}1", "encoder.pos_conv_embed.conv.weight_v"
        ): tensor
        for name, tensor in tensors.items()
    }
    assert set(old) != set(tensors)
    save_file(old, tmp_path / "model.safetensors", metadata={"format": "pt"})
    sound = wave(1.5, 24_000)
    got = heard(extractor("mert", model=str(tmp_path)), sound)
    np.testing.assert_allclose(got, heard(extractor("mert"), sound), atol=1e-6)


@pytest.mark.parametrize("addition", [{"feature_extractor_cqt": True}, {"deepnorm": True}])
def test_a_mert_that_is_more_than_hubert_is_refused(addition: dict, tmp_path: Path) -> None:
    tiny.mert(tmp_path, **addition)
    with pytest.raises(MgcError, match="more than plain HuBERT") as caught:
        heard(extractor("mert", model=str(tmp_path)), wave(1.5, 24_000))
    assert "m-a-p/MERT-v1-95M" in caught.value.hint


def test_code_in_the_models_folder_is_never_run(tmp_path: Path) -> None:
    tiny.mert(tmp_path)
    for name in ("configuration_MERT.py", "modeling_MERT.py"):
        (tmp_path / name).write_text("raise SystemExit('this code must not run')")
    heard(extractor("mert", model=str(tmp_path)), wave(1.5, 24_000))


def test_a_model_of_another_family_is_refused() -> None:
    with pytest.raises(MgcError, match="describes a 'hubert' model; extractor clap takes clap"):
        heard(extractor("clap", model=str(folder("hubert"))), wave(1.5, 48_000))


def test_a_model_of_another_rate_is_refused(tmp_path: Path) -> None:
    tiny.wav2vec2(tmp_path, rate=8_000)
    with pytest.raises(MgcError, match="hears 8,000 Hz; extractor wav2vec2 gives 16,000 Hz"):
        heard(extractor("wav2vec2", model=str(tmp_path)), wave(1.5, 16_000))


def test_weights_that_do_not_fill_the_model_are_refused(tmp_path: Path) -> None:
    tiny.wav2vec2(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: t for name, t in tensors.items() if "layers.1.attention" not in name}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MgcError, match="tensors are missing"):
        heard(extractor("wav2vec2", model=str(tmp_path)), wave(1.5, 16_000))


def test_damaged_weights_are_an_error_with_a_hint(tmp_path: Path) -> None:
    tiny.wav2vec2(tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MgcError, match="cannot be loaded"):
        heard(extractor("wav2vec2", model=str(tmp_path)), wave(1.5, 16_000))


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    tiny.wav2vec2(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(MgcError, match="mgc never reads pickle files") as caught:
        extractor("wav2vec2", model=str(tmp_path)).identity()
    assert "save_pretrained" in caught.value.hint


def test_a_model_that_is_not_here_says_how_to_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    made = extractor("mert", model="m-a-p/not-a-model", revision="refs/pr/1")
    with pytest.raises(MgcError, match="not on this machine") as caught:
        made.identity()
    command = "mgc features fetch mert --set model=m-a-p/not-a-model --set revision=refs/pr/1"
    assert command in caught.value.hint
    with pytest.raises(MgcError, match="no folder"):
        extractor("mert", model="../nowhere").identity()


def test_fetch_without_a_connection_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(MgcError, match="no route to host") as caught:
        extractor("mert", model="m-a-p/MERT-v1-95M").fetch()
    assert "HF_ENDPOINT" in caught.value.hint
    assert extractor("mert").fetch() == folder("mert")


def test_fetch_names_the_conversion_of_a_repository_with_a_pickle_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: None)
    monkeypatch.setattr(pretrained_weights.Weights, "folder", tmp_path)
    found = SimpleNamespace(
        is_pull_request=True,
        title="Adding `safetensors` variant of this model",
        git_reference="refs/pr/3",
    )
    monkeypatch.setattr("huggingface_hub.HfApi.get_repo_discussions", lambda *_, **__: [found])
    with pytest.raises(MgcError, match="no safetensors") as caught:
        extractor("mert", model="m-a-p/MERT-v1-95M").fetch()
    assert "--set revision=refs/pr/3" in caught.value.hint


def test_the_digest_follows_the_weights(tmp_path: Path) -> None:
    tiny.wav2vec2(tmp_path)
    made = extractor("wav2vec2", model=str(tmp_path))
    before = made.identity()
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    assert extractor("wav2vec2", model=str(tmp_path)).identity() != before
