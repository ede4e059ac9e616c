"""From the words of a request to the parts that serve it."""

from __future__ import annotations

import ctypes
import os
import sys

import pytest

from mgc import resolve
from mgc.audio.clip_policy import ClipPolicy
from mgc.errors import UsageError

CPU = "cpu"


def parts(extractors: list[str], heads: list[str], *assignments: str) -> tuple[list, list]:
    return resolve.parts(extractors, heads, assignments, ClipPolicy(), CPU)


def test_a_bare_name_goes_to_every_extractor_that_has_it() -> None:
    sources, _ = parts(["mel", "mfcc", "chroma"], ["logistic"], "n_mels=64", "n_fft=1024")
    assert [source.params.n_fft for source in sources] == [1024] * 3
    assert [getattr(source.params, "n_mels", None) for source in sources] == [64, 64, None]


def test_a_prefix_says_which() -> None:
    sources, heads = parts(["mel", "mfcc"], ["logistic"], "mel.n_mels=64", "logistic.C=0.5")
    assert [source.params.n_mels for source in sources] == [64, 128]
    assert heads[0].params.C == 0.5


def test_training_settings_reach_gradient_heads_only() -> None:
    _, heads = parts(["mel"], ["cnn", "logistic"], "epochs=3")
    assert heads[0].training.epochs == 3
    assert heads[1].training_settings == {}


def test_an_unknown_parameter_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="n_mel'") as caught:
        parts(["mel"], [], "n_mel=64")
    assert "'n_mels'" in caught.value.hint
    with pytest.raises(UsageError, match="parameter of head logistic is") as caught:
        parts(["mel"], ["logistic"], "logistic.n_mels=64")
    assert "mgc heads show NAME" in caught.value.hint


def test_a_bad_value_is_refused_before_any_audio_is_opened() -> None:
    with pytest.raises(UsageError, match="n_mels='many'"):
        parts(["mel"], [], "n_mels=many")


def test_an_unknown_extractor_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        parts(["mfc"], [])
    assert "'mfcc'" in caught.value.hint
    assert "mgc features list" in caught.value.hint


@pytest.mark.parametrize("text", ["n_mels", "=3", " =3"])
def test_set_needs_name_and_value(text: str) -> None:
    with pytest.raises(UsageError, match="NAME=VALUE"):
        parts(["mel"], [], text)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve.device("auto") == resolve.device("cpu") == "cpu"
    monkeypatch.setattr(resolve, "_may_have_gpu", lambda: True)
    assert resolve.device("auto") == "cpu"
    with pytest.raises(UsageError, match="no device 'cuda'"):
        resolve.device("cuda")
    with pytest.raises(UsageError, match="gpu"):
        resolve.device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve.device("auto") == "cuda"
    assert resolve.device("cuda:1") == "cuda:1"
    with pytest.raises(UsageError, match="no device 'cuda:2'"):
        resolve.device("cuda:2")


def test_looks_for_the_drivers_that_torch_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    monkeypatch.setattr(ctypes, "CDLL", asked.append)
    assert resolve._may_have_gpu()
    assert asked == ["libcuda.so.1"]
    monkeypatch.setattr(ctypes, "CDLL", _missing)
    assert not resolve._may_have_gpu()
    for driver in ("/dev/kfd", "/dev/dxg", "/run/opengl-driver/lib/libcuda.so.1"):
        monkeypatch.setattr(os.path, "exists", driver.__eq__)
        assert resolve._may_have_gpu(), driver
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert resolve._may_have_gpu()


def _missing(name: str) -> None:
    raise OSError(f"{name}: cannot open shared object file")


def test_dataset_is_the_default_where_none_is_named(mgc_home: object) -> None:
    with pytest.raises(UsageError, match="no dataset yet") as caught:
        resolve.dataset(None)
    assert "mgc data add" in caught.value.hint
