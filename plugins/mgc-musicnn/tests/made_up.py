"""TensorFlow's checkpoint bundles, written by hand, and wheels that hold them."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from mgc_musicnn import weights
from mgc_musicnn.bundle import MAGIC
from mgc_musicnn.network import Network

DISTRIBUTION = "Metadata-Version: 2.1\nName: musicnn\nVersion: 0.1.0\n"
KIND = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
PER_BLOCK = 10  # entries
DENSE = ["dense", "output"]


def bundle(tensors: Mapping[str, np.ndarray]) -> tuple[bytes, bytes]:
    """(index, data): keys share prefixes, and there are several blocks, as in the real ones."""
    data, entries = b"", [(b"", b"\x08\x01")]  # the header
    for name, array in sorted(tensors.items()):
        content = array.astype("<f4").tobytes()
        dimensions = b"".join(_message(2, _number(1, size)) for size in array.shape)
        entry = _number(1, 1) + _message(2, dimensions) + _number(4, len(data))
        entries.append((name.encode(), entry + _number(5, len(content)) + b"\x35crc."))
        data += content
    table, places = b"", []
    for first in range(0, len(entries), PER_BLOCK):
        part = entries[first : first + PER_BLOCK]
        block = _block(part)
        places.append((part[-1][0], _varint(len(table)) + _varint(len(block))))
        table += block + b"\0crc."
    handles = _varint(len(table)) + _varint(8)  # of the metaindex, which is empty
    table += _block([]) + b"\0crc."
    index = _block(places)
    handles += _varint(len(table)) + _varint(len(index))
    return table + index + b"\0crc." + handles.ljust(40, b"\0") + MAGIC, data


def network(seed: int) -> Network:
    """The network with random weights, statistics of batch norm included."""
    torch.manual_seed(seed)
    made = Network().eval()
    for name, tensor in made.state_dict().items():
        if "norm" in name and tensor.ndim:
            tensor.copy_(torch.rand_like(tensor) + (0.0 if "bias" in name else 0.5))
    made.middle[0].norm.weight.data[::2] *= -1
    return made


def in_tensorflow(state: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """The state of a network in TensorFlow's names and layouts."""
    found = {}
    kinds = {"batch_normalization": weights.NORMS, "conv2d": weights.BLOCKS, "dense": DENSE}
    for kind, layers in kinds.items():
        for number, layer in enumerate(layers):
            theirs = f"{kind}_{number}" if number else kind
            if kind == "batch_normalization":
                for their, our in weights.STATISTICS.items():
                    found[f"{theirs}/{their}"] = state[f"{layer}.{our}"].numpy()
            else:
                ours = f"{layer}.convolution" if kind == "conv2d" else layer
                kernel = state[f"{ours}.weight"].numpy()
                axes = (2, 3, 1, 0) if kind == "conv2d" else (1, 0)
                found[f"{theirs}/kernel"] = kernel.transpose(axes)
                found[f"{theirs}/bias"] = state[f"{ours}.bias"].numpy()
    return found


def wheel(folder: Path, **bundles: tuple[bytes, bytes]) -> Path:
    """A wheel that pip and uv accept, with the bundles by name of the weights."""
    files: dict[str, str | bytes] = {}
    for name, (index, data) in bundles.items():
        files[f"musicnn/{weights.BUNDLES[name]}/.index"] = index
        files[f"musicnn/{weights.BUNDLES[name]}/.data-00000-of-00001"] = data
    files |= {"musicnn-0.1.0.dist-info/METADATA": DISTRIBUTION}
    files |= {"musicnn-0.1.0.dist-info/WHEEL": KIND}
    record = "".join(f"{name},,\n" for name in files)
    files["musicnn-0.1.0.dist-info/RECORD"] = record + "musicnn-0.1.0.dist-info/RECORD,,\n"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / weights.WHEEL, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return folder / weights.WHEEL


def index(url: str, cache: Path) -> dict[str, str]:
    """What makes pip and uv use this package index, and nothing else."""
    return {
        "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": url, "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1",
        "UV_NO_CONFIG": "1", "UV_DEFAULT_INDEX": url, "UV_HTTP_RETRIES": "0",
        "UV_CACHE_DIR": str(cache),
    }  # fmt: skip


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    block, before = b"", b""
    for key, value in entries:
        shared = next((n for n in range(len(key)) if key[: n + 1] != before[: n + 1]), len(key))
        sizes = _varint(shared) + _varint(len(key) - shared) + _varint(len(value))
        block += sizes + key[shared:] + value
        before = key
    return block + struct.pack("<II", 0, 1)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
