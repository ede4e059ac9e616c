"""The weights: from the published wheel into mgc's home, as safetensors."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from mgc import MgcError
from mgc.home import bytes_of, home, replace_file, temporary_folder
from mgc_musicnn import bundle
from mgc_musicnn.network import Network

WHEEL = "musicnn-0.1.0-py3-none-any.whl"
SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
BUNDLES = {"msd": "MSD_musicnn", "mtt": "MTT_musicnn"}
COMMAND = "mgc features fetch musicnn"
BRING = f"or bring {WHEEL} to this machine: {COMMAND} --from {WHEEL}"
#: The network's names for TensorFlow's.
BLOCKS = [*(f"front.{n}" for n in range(5)), *(f"middle.{n}" for n in range(3))]
NORMS = ["norm", *(f"{block}.norm" for block in BLOCKS), "pooled_norm", "dense_norm"]
DENSE = ["dense", "output"]
STATISTICS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def path(name: str) -> Path:
    """Where the weights ``msd`` or ``mtt`` are kept."""
    return home() / "weights" / "musicnn" / f"{name}.safetensors"


def digest(name: str) -> str:
    """SHA-256 of the weights. Raises MgcError if they are not here."""
    return hashlib.sha256(_content(name)).hexdigest()


def load(name: str) -> Network:
    """The network, ready to evaluate. Raises MgcError if its weights are missing or damaged."""
    content = _content(name)
    try:
        return _network(safetensors.torch.load(content))
    except (safetensors.SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise MgcError(
            f"{path(name)} cannot be used: {reason}", f"Fetch it again: {COMMAND}"
        ) from error


def _content(name: str) -> bytes:
    try:
        return bytes_of(path(name))
    except OSError as error:
        raise MgcError(
            f"The weights of musicnn are not on this machine ({path(name)}: "
            f"{error.strerror or error}).",
            f"Fetch them once: {COMMAND}",
        ) from error


def _network(state: Mapping[str, Tensor]) -> Network:
    """Raises RuntimeError for a missing name or another shape."""
    with torch.device("meta"):
        network = Network()
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def fetch(wheel: Path | None) -> Path:
    """Convert the weights of the wheel, by default downloaded, and return their folder.

    Nothing is written before all is checked. Raises MgcError if the wheel cannot be downloaded or
    is not the published one.
    """
    if wheel:
        check(wheel)
        return convert(zipfile.Path(wheel))
    with temporary_folder() as temporary:
        download(temporary)
        found = temporary / WHEEL  # uv has unpacked it
        return convert(zipfile.Path(found) if found.exists() else temporary)


def check(wheel: Path) -> None:
    """Raise MgcError unless the file is the published wheel."""
    try:
        with wheel.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MgcError(
            f"{wheel} cannot be read: {error.strerror}.", f"Name the file {WHEEL}."
        ) from error
    if found != SHA256:
        raise MgcError(
            f"{wheel} is not {WHEEL} as published, or only a part of it: its SHA-256 is "
            f"{found[:12]}…, not {SHA256[:12]}….",
            f"Download it again: pip download --no-deps musicnn==0.1.0; or run: {COMMAND}",
        )


def download(folder: Path) -> None:
    """Download the wheel into a folder with pip, or unpack it there with uv, from the index that
    it is configured for. Both compare the SHA-256; neither runs any of the package's code."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"musicnn==0.1.0 --hash=sha256:{SHA256}\n", encoding="utf-8")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", str(wanted)]
    done = subprocess.run(
        [*installer(), str(folder), *options],
        capture_output=True,
        text=True,
        check=False,
        env={"PIP_RETRIES": "1", **os.environ},  # pip's own five take minutes if nobody answers
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).splitlines() or ["it does not say why"]
        failed = any(line.startswith("Traceback") for line in lines)
        said = " ".join((lines[-1] if failed else " ".join(lines)).split())
        reason = said if len(said) <= 600 else f"… {said[-600:]}"  # the error is at the end
        raise MgcError(
            f"The wheel of musicnn 0.1.0 could not be fetched: {reason}",
            "Check the connection, the package index (pip: PIP_INDEX_URL, uv: UV_DEFAULT_INDEX, "
            f"both: HTTPS_PROXY) and the space in {folder.parent}, {BRING}",
        )


def installer() -> list[str]:
    """The command that puts packages into the folder that follows: pip of this environment, else
    uv, else pip of another Python (the wheel holds no compiled code). Raises MgcError if there is
    none."""
    # ``pip install`` heeds the user's settings of where and how to install: user, prefix, dry-run.
    pip = ["download", "--quiet", "--dest"]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", *pip]
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    if uv := shutil.which("uv", path=here):
        return [uv, "pip", "install", "--python", sys.executable, "--quiet", "--target"]
    if another := shutil.which("pip", path=here):
        return [another, *pip]
    raise MgcError("There is neither pip nor uv to fetch musicnn with.", f"Install one, {BRING}")


def convert(root: Path | zipfile.Path) -> Path:
    """Write both networks' weights, from a wheel or the folder where it is unpacked; return the
    folder. Raises MgcError if they are not those of musicnn."""
    made = {}
    for name, folder in BUNDLES.items():
        files = root / "musicnn" / folder
        try:
            index = (files / ".index").read_bytes()
            found = bundle.read(index, (files / ".data-00000-of-00001").read_bytes())
            state = renamed(found)
            _network(state)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise MgcError(
                f"The wheel does not hold musicnn's weights ({folder}: {reason}).",
                f"Fetch it again: {COMMAND}",
            ) from error
        made[path(name)] = safetensors.torch.save(state)
    for place, content in made.items():
        replace_file(place, content)
    return path("msd").parent


def renamed(found: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """The state of `Network` from TensorFlow's names and layouts."""
    state = {}
    for number, norm in enumerate(NORMS):
        for theirs, ours in STATISTICS.items():
            state[f"{norm}.{ours}"] = found[f"{_numbered('batch_normalization', number)}/{theirs}"]
    for number, block in enumerate(BLOCKS):
        layer = _numbered("conv2d", number)
        state[f"{block}.convolution.weight"] = found[f"{layer}/kernel"].transpose(3, 2, 0, 1)
        state[f"{block}.convolution.bias"] = found[f"{layer}/bias"]
    for number, dense in enumerate(DENSE):
        layer = _numbered("dense", number)
        state[f"{dense}.weight"] = found[f"{layer}/kernel"].T
        state[f"{dense}.bias"] = found[f"{layer}/bias"]
    return {name: torch.from_numpy(array.copy(order="C")) for name, array in state.items()}


def _numbered(layer: str, number: int) -> str:
    return f"{layer}_{number}" if number else layer
