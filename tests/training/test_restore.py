"""A fitted head's folder: whole, damaged, foreign."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from torch import nn

from mgc.errors import MgcError
from mgc.home import read_json, write_json
from mgc.plugins import registry
from mgc.training.fit import fit_head
from mgc.training.fitted_head import restore_head
from mgc.training.head_sizes import bounded_by
from mgc.training.head_spec import HeadSpec
from tests.tunes import split, track_data


def fitted(folder: Path, head: str = "mlp") -> Path:
    data = track_data()
    training = {"epochs": 1} if head in ("mlp", "cnn") else {}
    train, validation, _ = split(data)
    spec = HeadSpec(head, {}, training)
    fit_head(spec, data, train, validation, seed=0, device="cpu", folder=folder)
    return folder


def change(folder: Path, **facts: Any) -> None:
    path = folder / "head.json"
    write_json(path, {**read_json(path), **facts})


def test_the_facts_say_what_was_fitted(tmp_path: Path) -> None:
    facts = json.loads((fitted(tmp_path) / "head.json").read_text())
    assert facts["head"] == "mlp"
    assert facts["distribution"] == "mgc"
    assert facts["params"]["hidden"] == 256
    assert facts["training"]["epochs"] == 1
    assert facts["kind"] == "sequence"
    assert facts["shape"]["kind"] == "vector"
    assert facts["genres"] == 3


@pytest.mark.parametrize("head", ["cnn", "mlp", "logistic"])
def test_no_file_is_a_pickle(head: str, tmp_path: Path) -> None:
    names = {path.name for path in fitted(tmp_path, head).iterdir()}
    assert {name.rpartition(".")[2] for name in names} <= {"json", "jsonl", "safetensors", "skops"}
    for path in tmp_path.iterdir():
        assert not path.read_bytes().startswith(b"\x80")  # a pickle's first byte since protocol 2


def test_the_sources_use_no_pickle() -> None:
    package = Path(registry.__file__).parents[1]
    sources = [
        *package.glob("training/*.py"),
        *package.glob("heads/*.py"),
        package / "plugins" / "registry.py",
    ]
    assert len(sources) > 15
    for path in sources:
        text = path.read_text()
        for word in (
            "import pickle",
            "joblib",
            "torch.save",
            "torch.load",
            "object_list",
            "gather_object",
        ):
            assert word not in text, f"{path.name}: {word}"


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    change(fitted(tmp_path), schema=99)
    with pytest.raises(MgcError, match="written by a newer mgc") as caught:
        restore_head(tmp_path, "cpu")
    assert "pip install --upgrade mgc-music" in caught.value.hint


def test_another_revision_is_named_with_what_to_install(tmp_path: Path) -> None:
    change(fitted(tmp_path), revision=7, version="0.0.7")
    with pytest.raises(MgcError, match="uses revision 7 of head 'mlp'") as caught:
        restore_head(tmp_path)
    assert "pip install mgc-music==0.0.7" in caught.value.hint


def test_a_missing_plugin_is_named_with_its_distribution(tmp_path: Path) -> None:
    change(fitted(tmp_path), head="magic", distribution="mgc-magic", version="1.2")
    with pytest.raises(MgcError, match=r"'magic' .* is not installed") as caught:
        restore_head(tmp_path, "cpu")
    assert "pip install mgc-magic" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("head.json", "mlp"),
        ("model.safetensors", "mlp"),
        ("pooling.safetensors", "mlp"),
        ("estimator.safetensors", "logistic"),
        ("estimator.skops", "svm"),
    ],
)
@pytest.mark.parametrize("damage", ["absent", "empty", "cut"])
def test_a_damaged_file_is_named(name: str, head: str, damage: str, tmp_path: Path) -> None:
    path = fitted(tmp_path, head) / name
    content = path.read_bytes()
    path.unlink()
    if damage != "absent":
        path.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    with pytest.raises(MgcError, match=name) as caught:
        restore_head(tmp_path, "cpu")
    assert caught.value.hint


def test_facts_without_an_entry_are_damaged(tmp_path: Path) -> None:
    path = fitted(tmp_path) / "head.json"
    facts = read_json(path)
    del facts["shape"]
    write_json(path, facts)
    with pytest.raises(MgcError, match=r"damaged: .*head\.json: KeyError\('shape'\)") as caught:
        restore_head(tmp_path, "cpu")
    assert "mgc runs remove" in caught.value.hint


def test_weights_of_another_shape_are_damaged(tmp_path: Path) -> None:
    change(fitted(tmp_path), genres=7)
    with pytest.raises(MgcError, match=r"model\.safetensors is damaged"):
        restore_head(tmp_path, "cpu")


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (10**6, r"model\.safetensors is damaged: head\.json describes a larger head"),
        (10**18, "Head 'mlp' .* failed in its constructor: RuntimeError"),
    ],
)
def test_sizes_that_the_weights_do_not_have_take_no_memory(
    size: int, said: str, tmp_path: Path
) -> None:
    params = read_json(fitted(tmp_path) / "head.json")["params"]
    change(tmp_path, params={**params, "hidden": size})
    with pytest.raises(MgcError, match=said):
        restore_head(tmp_path, "cpu")


@pytest.mark.parametrize(
    "facts",
    [
        {"genres": 10**9},
        {"genres": "three"},
        {"window_frames": 10**9},
        {"kind": "film"},
        {"shape": {"kind": "vector", "features": 0}},
        {"shape": {"kind": "vector", "features": 10**12}},
    ],
)
def test_sizes_that_no_head_has_are_damaged(facts: dict[str, Any], tmp_path: Path) -> None:
    change(fitted(tmp_path, "logistic"), **facts)
    with pytest.raises(MgcError, match=r"is damaged: .*/head\.json: ValueError"):
        restore_head(tmp_path, "cpu")


def test_more_layers_than_the_weights_have_are_not_built(tmp_path: Path) -> None:
    class Deep(nn.Module):
        def __init__(self, depth: int, width: int = 2) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(width, 2) for _ in range(depth))

    path = tmp_path / "model.safetensors"
    save_file(Deep(3).state_dict(), path)
    for depth, width in ((10**9, 2), (1, 3)):
        with bounded_by(path), pytest.raises(MgcError, match="describes a larger head"):
            Deep(depth, width)
    with bounded_by(path):
        Deep(3)
    Deep(20)
