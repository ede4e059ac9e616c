"""What a head or a strategy returns or raises is checked, and the plug-in named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mgc.errors import MgcError
from mgc.heads.logistic import Logistic
from mgc.home import FILES, read_json, write_json
from mgc.training import outputs
from mgc.training.fit import fit_head
from mgc.training.fitted_head import restore_head
from mgc.training.head_spec import HeadSpec
from tests.tunes import split, track_data

SPEC = HeadSpec("logistic")
GOOD = np.array([[0.2, 0.3, 0.5], [1, 0, 0], [0.1, 0.8, 0.1], [0.4, 0.4, 0.2]])

ODD = {
    "NaN": (lambda p: p * np.nan, "not finite"),
    "one NaN": (lambda p: np.where(np.arange(len(p))[:, None] == 1, np.nan, p), "not finite"),
    "infinite": (lambda p: p + np.inf, "not finite"),
    "logits": (np.log, "negative"),
    "scores": (lambda p: p * 2, "do not sum to 1"),
    "a genre less": (lambda p: p[:, :-1], "shape (4, 2) instead of (4, 3)"),
    "a row less": (lambda p: p[:-1], "shape (3, 3) instead of (4, 3)"),
    "None": (lambda p: None, "instead of (4, 3)"),
    "text": (lambda p: "x", "str of <U1, not of real numbers"),
    "texts": (lambda p: p.astype(str), "not of real numbers"),
    "complex": (lambda p: p + 1j, "not of real numbers"),
    "masked": (lambda p: np.ma.masked_less(p, 0.2), "not finite"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_are_no_probabilities_is_named(what: str) -> None:
    change, said = ODD[what]
    with np.errstate(divide="ignore"), pytest.raises(MgcError) as caught:
        outputs.probabilities(SPEC, change(GOOD), GOOD.shape)  # type: ignore[operator]
    assert caught.value.message.startswith("Head 'logistic' (mgc ")
    assert said in caught.value.message
    assert caught.value.hint == "Run: mgc plugins check logistic"


@pytest.mark.parametrize("kind", [np.float32, np.float64, object, ">f8"])
def test_probabilities_of_any_numeric_type_are_taken(kind: type) -> None:
    taken = outputs.probabilities(SPEC, GOOD.astype(kind), GOOD.shape)
    np.testing.assert_allclose(taken, GOOD, atol=1e-7)


@pytest.mark.parametrize("odd", [GOOD[:3], GOOD[:, 0], GOOD * np.nan, None, "x"])
def test_what_are_no_embeddings_is_named(odd: Any) -> None:
    with pytest.raises(MgcError, match=r"Head 'logistic' .mgc .* returned"):
        outputs.embeddings(SPEC, odd, len(GOOD))


def raising(error: BaseException) -> Callable[..., Any]:
    def method(self: Any, features: np.ndarray) -> Any:
        raise error

    return method


@pytest.mark.parametrize("method", ["predict_proba", "embed"])
@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(0), MemoryError("odd")])
def test_what_a_head_raises_is_named(
    method: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = track_data()
    train, validation, test = split(data)
    fitted = fit_head(SPEC, data, train, validation, seed=0, device="cpu", folder=tmp_path)
    monkeypatch.setattr(Logistic, "predict_proba", lambda _, clips: np.full((len(clips), 3), 1 / 3))
    monkeypatch.setattr(Logistic, method, raising(error))
    said = f"failed in {method}: {type(error).__name__}: {error}."
    with pytest.raises(MgcError) as caught:
        fitted.predict_tracks(data, test)
    assert said in caught.value.message
    monkeypatch.setattr(Logistic, method, raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        fitted.predict_tracks(data, test)


def test_weights_that_are_not_finite_give_no_answer(tmp_path: Path) -> None:
    data = track_data()
    train, validation, _ = split(data)
    spec = HeadSpec("mlp", {}, {"epochs": 1, "precision": "fp32"})
    fit_head(spec, data, train, validation, seed=0, device="cpu", folder=tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({name: array * np.nan for name, array in load_file(path).items()}, path)
    facts = read_json(tmp_path / "head.json")
    write_json(tmp_path / "head.json", {**facts, FILES: {}})
    with pytest.raises(MgcError, match=r"Head 'mlp' .*not finite"):
        restore_head(tmp_path, "cpu").predict([data.features[0]])
