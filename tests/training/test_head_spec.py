"""A head as asked for: names, parameters, settings, devices."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from mgc.errors import MgcError, UsageError
from mgc.plugins.contract import HeadInfo
from mgc.training.devices import precision_of, resolve_device
from mgc.training.head_spec import HeadSpec, Training, can_take


def test_names_and_values_are_checked_with_suggestions() -> None:
    cases: list[tuple[HeadSpec, str, str]] = [
        (HeadSpec("cn"), "No head is named 'cn'", "Did you mean 'cnn'"),
        (HeadSpec("cnn", {"widht": 3}), "No parameter of head cnn is named 'widht'", "'width'"),
        (HeadSpec("cnn", {"width": "big"}), "width='big' cannot be used", "width="),
        (HeadSpec("cnn", {}, {"epoch": 3}), "named 'epoch'", "'epochs'"),
        (HeadSpec("cnn", {}, {"ema": 1.5}), "ema=1.5", "default"),
        (HeadSpec("cnn", {}, {"monitor": "luck"}), "monitor='luck'", "monitor="),
        (HeadSpec("svm", {}, {"epochs": 3}), "no training settings", "mgc heads show svm"),
    ]
    for spec, message, hint in cases:
        with pytest.raises(UsageError) as caught:
            spec.check()
        assert message in caught.value.message
        assert hint in caught.value.hint


@pytest.mark.parametrize("setting", ["epochs", "batch_size", "learning_rate"])
def test_some_settings_must_be_positive(setting: str) -> None:
    with pytest.raises(UsageError, match=f"{setting}=0 cannot be used"):
        Training(**{setting: 0})


def test_a_head_brings_its_own_training_and_the_user_overrides_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mgc.heads.cnn import Cnn

    monkeypatch.setattr(Cnn, "training_defaults", {"epochs": 7, "batch_size": 5})
    training = HeadSpec("cnn", {}, {"batch_size": 9}).training
    assert (training.epochs, training.batch_size) == (7, 9)
    assert training.mixup == Training.mixup


@pytest.mark.parametrize(
    ("accepts", "taken"),
    [
        (("sequence",), {"sequence"}),
        (("vector",), {"sequence", "vector", "layers"}),
        (("layers", "vector"), {"sequence", "vector", "layers"}),
        (("layers",), {"layers"}),
    ],
)
def test_a_head_that_takes_vectors_takes_everything(accepts: Any, taken: set[str]) -> None:
    info = HeadInfo(name="x", summary="", load="a:B", trained_by="gradient", accepts=accepts)
    kinds: Any = ("sequence", "vector", "layers")
    assert {kind for kind in kinds if can_take(info, kind)} == taken


def test_naming_a_head_imports_no_torch() -> None:
    code = (
        "import sys; from mgc.training.head_spec import HeadSpec, can_take; HeadSpec('cnn').info;"
        "print([m for m in ('torch', 'numpy', 'sklearn', 'accelerate') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import mgc.training

    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        _ = mgc.training.magic


@pytest.mark.parametrize("name", ["cuda", "cuda:5", "mps", "tpu"])
def test_a_device_that_is_not_there(name: str) -> None:
    if name == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(MgcError):
        resolve_device(name)


def test_the_device_that_is_there() -> None:
    assert resolve_device("cpu").type == "cpu"
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type in (expected, "mps")


def test_precision_follows_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert precision_of("fp32", cpu) == "fp32"
    for abilities, expected in (({"avx512_bf16": True}, "bf16"), ({"avx2": True}, "fp32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=abilities: found)
        assert precision_of("auto", cpu) == expected
