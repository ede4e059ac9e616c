"""Features on disk: fingerprints, and shards that are whole or absent.

A store holds what one extractor, with one set of parameters, made of audio *content*: rows are
keyed by the SHA-256 of the file, so a moved file or a second dataset finds them again. A shard is
one safetensors file, one float16 (sequence) or float32 tensor for each clip, named
``<sha-256>.<clip number>``.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from mgc.errors import MgcError
from mgc.home import home, read_json, replace_file, write_json

SCHEMA = 1
DTYPES = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4")}


def fingerprint(identity: Mapping[str, Any]) -> str:
    """SHA-256 over canonical JSON (sorted keys, no spaces) of all that changes the numbers."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Row:
    """Where one clip's feature stands: shard, byte range, shape and type."""

    shard: Path
    begin: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class FeatureStore:
    """The features of one identity (see `fingerprint`), below ``MGC_HOME/features``."""

    def __init__(self, name: str, identity: Mapping[str, Any], root: Path | None = None) -> None:
        self.name = name
        self.identity = dict(identity)
        self.fingerprint = fingerprint(identity)
        base = root if root is not None else home() / "features"
        self.folder = base / f"{name}-{self.fingerprint[:12]}"
        self._rows: dict[str, list[Row]] | None = None

    @property
    def rows(self) -> dict[str, list[Row]]:
        """Audio hash → its clips' rows, in order. Read from the shards' headers once."""
        if self._rows is None:
            self._rows = {}
            for shard in sorted(self.folder.glob("*.safetensors")):
                self._rows.update(_shard_rows(shard))
        return self._rows

    def refresh(self) -> None:
        """Look at the disk again at the next use."""
        self._rows = None

    def __contains__(self, audio_hash: str) -> bool:
        return audio_hash in self.rows

    def read(self, audio_hash: str) -> list[np.ndarray]:
        """The clips of a track: read-only views on mapped memory, nothing copied."""
        return [_view(row) for row in self.rows[audio_hash]]

    def write_shard(self, tracks: Mapping[str, Sequence[np.ndarray]]) -> Path:
        """Write audio hash → clips as one shard: temporary name, fsync, rename.

        The name follows from the hashes, so doing the work twice gives the same file.
        """
        tensors = {
            f"{audio_hash}.{number}": np.ascontiguousarray(clip)
            for audio_hash, clips in tracks.items()
            for number, clip in enumerate(clips)
        }
        self._write_identity()
        name = hashlib.sha256("\n".join(sorted(tracks)).encode()).hexdigest()[:24]
        path = self.folder / f"{name}.safetensors"
        replace_file(path, save(tensors, metadata={"mgc": str(SCHEMA)}))
        if self._rows is not None:
            self._rows.update(_shard_rows(path))
        return path

    def _write_identity(self) -> None:
        path = self.folder / "identity.json"
        if not path.exists():
            from mgc import __version__

            write_json(
                path,
                {
                    "schema": SCHEMA,
                    "fingerprint": self.fingerprint,
                    "made_by": f"mgc {__version__}",
                    "identity": self.identity,
                },
            )


def stores() -> Iterator[tuple[Path, dict[str, Any]]]:
    """(folder, identity record) of every store at home."""
    for path in sorted((home() / "features").glob("*/identity.json")):
        yield path.parent, read_json(path)


def _header(shard: Path) -> tuple[int, dict[str, Any]]:
    """Where the data begins, and the header of a safetensors file."""
    try:
        with open(shard, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > os.fstat(file.fileno()).st_size:
                raise ValueError("its header is cut off")
            return 8 + length, json.loads(file.read(length))
    except (OSError, ValueError, struct.error) as error:
        raise MgcError(
            f"{shard} is damaged: {error}.",
            f"Remove it, and the next fit makes it anew: rm '{shard}'",
        ) from error


def _shard_rows(shard: Path) -> dict[str, list[Row]]:
    data, header = _header(shard)
    numbered: dict[str, dict[int, Row]] = {}
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        audio_hash, _, number = name.rpartition(".")
        row = Row(
            shard, data + tensor["data_offsets"][0], tuple(tensor["shape"]), DTYPES[tensor["dtype"]]
        )
        numbered.setdefault(audio_hash, {})[int(number)] = row
    return {key: [clips[i] for i in sorted(clips)] for key, clips in numbered.items()}


@lru_cache(maxsize=4096)
def _mapped(shard: Path) -> mmap.mmap:
    with open(shard, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _view(row: Row) -> np.ndarray:
    count = int(np.prod(row.shape, dtype=np.int64))
    flat = np.frombuffer(_mapped(row.shard), row.dtype, count, row.begin)
    return flat.reshape(row.shape)
