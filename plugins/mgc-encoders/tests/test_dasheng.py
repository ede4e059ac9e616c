"""Dasheng: the published package's numbers on the same weights, and what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mgc_encoders.dasheng import Dasheng
from safetensors.torch import load_file, save_file

from mgc import MgcError
from mgc.audio.clips import Clips
from mgc.checks import parametrize

from . import tiny

GOLDEN = json.loads(Path(__file__).with_name("golden_dasheng.json").read_text())


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.dasheng(tmp_path_factory.mktemp("dasheng"))


def heard(folder: Path, wave: np.ndarray, **settings: Any) -> np.ndarray:
    made = Dasheng(Dasheng.Params(model=str(folder), **settings), "cpu")
    return made(Clips(torch.from_numpy(wave)[None], made.rate))[0].numpy()


@pytest.mark.parametrize("seconds", GOLDEN)
def test_states_are_those_of_the_published_package(seconds: str, model: Path) -> None:
    wanted = np.array(GOLDEN[seconds])
    assert wanted.std() > 1
    np.testing.assert_allclose(heard(model, tiny.sweep(float(seconds))), wanted, atol=2e-5)


def test_a_layer_can_be_chosen(model: Path) -> None:
    wave = tiny.sweep(2.0)
    every = heard(model, wave)
    np.testing.assert_array_equal(heard(model, wave, layer="last"), every[-1])
    np.testing.assert_array_equal(heard(model, wave, layer=1), every[1])


@pytest.mark.parametrize("change", [{"pooling": "token"}, {"patch_size": [16, 16]}])
def test_another_architecture_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(
        MgcError, match=f"not one of the published .*{next(iter(change))}"
    ) as caught:
        heard(tiny.dasheng(tmp_path, **change), tiny.sweep(1.0))
    assert "mispeech/dasheng-base" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "tensor"),
    [("encoder.blocks.1.attn.qkv.weight", None), ("encoder.norm.weight", torch.ones(8)),
     ("encoder.blocks.0.ls1.gamma", torch.ones(16))],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_refused(
    name: str, tensor: torch.Tensor | None, tmp_path: Path
) -> None:
    path = tiny.dasheng(tmp_path) / "model.safetensors"
    tensors = load_file(path)
    tensors.pop(name, None)
    save_file(tensors | ({} if tensor is None else {name: tensor}), path)
    with pytest.raises(MgcError, match="cannot be loaded.*" + name.removeprefix("encoder.")):
        heard(tmp_path, tiny.sweep(1.0))


def test_what_others_save_beside_the_encoder_is_left_out(tmp_path: Path) -> None:
    path = tiny.dasheng(tmp_path) / "model.safetensors"
    save_file(load_file(path) | {"outputlayer.0.weight": torch.ones(16)}, path)
    assert heard(tmp_path, tiny.sweep(1.0)).shape == (4, 16)


def test_damage_is_an_error_with_a_hint_and_the_hubs_code_is_not_run(tmp_path: Path) -> None:
    tiny.dasheng(tmp_path)
    (tmp_path / "modeling_dasheng.py").write_text("raise SystemExit('this code must not run')")
    heard(tmp_path, tiny.sweep(1.0))
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MgcError, match="cannot be loaded") as caught:
        heard(tmp_path, tiny.sweep(1.0))
    assert "another copy" in caught.value.hint


@parametrize("dasheng", settings=lambda: {"model": str(_conforming())})
def test_dasheng_conforms(check: Any) -> None:
    check()


def _conforming() -> Path:
    import atexit
    import tempfile

    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    return tiny.dasheng(Path(made.name))
