"""Reading and converting the weights, and everything that can be wrong with them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from mgc_musicnn import bundle, weights

from mgc import MgcError

from . import made_up
from .conftest import FETCH, unfetched


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def good() -> tuple[bytes, bytes]:
    return made_up.bundle(made_up.in_tensorflow(made_up.network(0).state_dict()))


def refused(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> MgcError:
    """The error for a wheel that has the published one's hash."""
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    with pytest.raises(MgcError) as caught:
        weights.fetch(wheel)
    assert not weights.path("msd").parent.exists()
    assert "mgc features fetch musicnn" in caught.value.hint
    return caught.value


def test_a_bundle_is_read() -> None:
    wanted = {
        f"layer_{number}/{name}": np.random.default_rng(number).random(shape, np.float32)
        for number in range(30)
        for name, shape in [("kernel", (3, 200, 1)), ("bias", (5,)), ("scale", ())]
    }
    found = bundle.read(*made_up.bundle(wanted))
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


def test_the_network_is_that_of_the_bundle(tmp_path: Path, monkeypatch) -> None:
    made = {"msd": made_up.network(1), "mtt": made_up.network(2)}
    bundles = {n: made_up.bundle(made_up.in_tensorflow(m.state_dict())) for n, m in made.items()}
    wheel = made_up.wheel(tmp_path / "wheels", **bundles)
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    folder = weights.fetch(wheel)
    assert sorted(file.name for file in folder.iterdir()) == ["msd.safetensors", "mtt.safetensors"]
    patch = torch.rand(1, 187, 96, generator=torch.Generator().manual_seed(0))
    for name, network in made.items():
        torch.testing.assert_close(weights.load(name).tags(patch), network.tags(patch))


def test_weights_of_another_shape(tmp_path: Path, good, monkeypatch) -> None:
    state = made_up.network(0).state_dict() | {"dense.weight": torch.zeros(100, 1506)}
    other = made_up.bundle(made_up.in_tensorflow(state))
    error = refused(made_up.wheel(tmp_path, msd=good, mtt=other), monkeypatch)
    assert "MTT_musicnn: " in error.message
    assert "dense.weight" in error.message


def test_a_wheel_without_a_network(tmp_path: Path, good, monkeypatch) -> None:
    assert "MTT_musicnn" in refused(made_up.wheel(tmp_path, msd=good), monkeypatch).message


@pytest.mark.parametrize("kept", [0, 40, 500, -1, -60])
def test_a_damaged_index(kept: int, tmp_path: Path, good, monkeypatch) -> None:
    index, data = good
    wheel = made_up.wheel(tmp_path, msd=(index[:kept], data), mtt=good)
    assert "MSD_musicnn" in refused(wheel, monkeypatch).message


@pytest.mark.parametrize("byte", [1, 1_000, -300])
def test_a_changed_index(byte: int, tmp_path: Path, good, monkeypatch) -> None:
    index, data = bytearray(good[0]), good[1]
    index[byte] ^= 0xFF
    wheel = made_up.wheel(tmp_path, msd=(bytes(index), data), mtt=good)
    assert "MSD_musicnn" in refused(wheel, monkeypatch).message


def test_data_that_end_early(tmp_path: Path, good, monkeypatch) -> None:
    index, data = good
    wheel = made_up.wheel(tmp_path, msd=(index, data[: len(data) // 2]), mtt=good)
    assert "MSD_musicnn" in refused(wheel, monkeypatch).message


def test_another_wheel_half_a_wheel_and_none(tmp_path: Path, good) -> None:
    wheel = made_up.wheel(tmp_path, msd=good, mtt=good)
    for content in (wheel.read_bytes(), wheel.read_bytes()[:1000], b""):
        wheel.write_bytes(content)
        with pytest.raises(MgcError, match=r"is not musicnn-0.1.0-py3-none-any.whl as published"):
            weights.fetch(wheel)
    for path in (tmp_path / "none.whl", tmp_path):
        with pytest.raises(MgcError, match="cannot be read"):
            weights.fetch(path)
    assert not weights.path("msd").parent.exists()


@pytest.fixture(params=["own pip", "uv", "another pip"])
def installer(request, monkeypatch) -> None:
    """Each in turn is the only one."""
    name = request.param.split()[-1]
    if request.param == "own pip":
        if not importlib.util.find_spec("pip"):
            pytest.skip("there is no pip in this environment")
        return
    folders = [str(Path(sys.executable).parent), os.defpath]
    if not (found := shutil.which(name, path=os.pathsep.join(folders))):
        pytest.skip(f"there is no {name} on the path")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda asked, **_: found if asked == name else None)


def test_an_index_that_does_not_answer(installer, tmp_path: Path, monkeypatch) -> None:
    for name, value in made_up.index("http://127.0.0.1:9/simple", tmp_path).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MgcError, match=r"could not be fetched: .*musicnn") as caught:
        weights.fetch(None)
    assert "--from musicnn-0.1.0-py3-none-any.whl" in caught.value.hint
    assert not weights.path("msd").parent.exists()


def test_an_index_with_another_wheel(installer, good, tmp_path: Path, monkeypatch) -> None:
    wheel = made_up.wheel(tmp_path, msd=good, mtt=good)
    page = tmp_path / "simple" / "musicnn" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../{wheel.name}">{wheel.name}</a>')
    for name, value in made_up.index((tmp_path / "simple").as_uri(), tmp_path / "uv").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MgcError, match=r"(?i)could not be fetched: .*hash"):
        weights.fetch(None)
    assert not weights.path("msd").parent.exists()
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    for setting in ("PIP_USER", "PIP_DRY_RUN"):  # of installing, which is not what is done
        monkeypatch.setenv(setting, "1")
    monkeypatch.setenv("PIP_PREFIX", str(tmp_path / "prefix"))
    assert weights.fetch(None) == weights.path("msd").parent
    assert weights.digest("msd") == weights.digest("mtt")


def test_neither_pip_nor_uv(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(MgcError, match="neither pip nor uv"):
        weights.fetch(None)


def test_weights_that_are_missing_or_damaged(good, tmp_path: Path) -> None:
    with pytest.raises(MgcError, match="not on this machine") as caught:
        weights.digest("msd")
    assert "mgc features fetch musicnn" in caught.value.hint
    made_up.wheel(tmp_path, msd=good, mtt=good)
    weights.convert(zipfile.Path(tmp_path / weights.WHEEL))
    whole = weights.path("msd").read_bytes()
    state = safetensors.torch.load(whole)
    another = safetensors.torch.save({**state, "output.bias": torch.zeros(49)})
    for content, reason in [(whole[:-9], ""), (b"", ""), (another, "output.bias")]:
        weights.path("msd").write_bytes(content)
        with pytest.raises(MgcError, match=f"cannot be used: .*{reason}"):
            weights.load("msd")
    weights.path("msd").unlink()
    os.mkfifo(weights.path("msd"))  # reading it would never end
    with pytest.raises(MgcError, match="not a regular file"):
        weights.load("msd")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "print('WARNING: nothing of interest. ' * 50 + '\\nERROR: no space')",
            r"… .*ERROR: no space",
        ),
        ("raise OSError(28, 'No space')", r"could not be fetched: OSError: \[Errno 28\] No space"),
        ("0", "could not be fetched: it does not say why"),
    ],
)
def test_what_the_installer_says_last_is_told(said: str, told: str, monkeypatch) -> None:
    command = [sys.executable, "-c", f"import sys; {said}; sys.exit(1)"]
    monkeypatch.setattr(weights, "installer", lambda: command)
    with pytest.raises(MgcError, match=told) as caught:
        weights.fetch(None)
    assert f"the space in {tempfile.gettempdir()}, " in caught.value.hint


def test_without_an_index_ci_fails_and_others_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FETCH, "1")
    with pytest.raises(pytest.fail.Exception, match="cannot be had: no index"):
        unfetched("no index")
    monkeypatch.delenv(FETCH)
    with pytest.raises(pytest.skip.Exception, match=f"no index .set {FETCH}=1"):
        unfetched("no index")
