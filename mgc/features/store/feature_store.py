"""The features of one identity: listing, reading and adding."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from mgc.audio import decoders
from mgc.audio.sound_length import HEARING_REVISION
from mgc.features.store import shards
from mgc.features.store.backends import StoreBackend, features_root, place
from mgc.features.store.shards import FIRST, Origin, Row
from mgc.home import read_json

SCHEMA = 1


def fingerprint(identity: Mapping[str, Any]) -> str:
    """SHA-256 over canonical JSON (sorted keys, no spaces) of all that changes the numbers."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class FeatureStore:
    """The features of one identity (see `fingerprint`).

    ``root`` is a folder or the URL of an object store; None means `features_root`.
    """

    def __init__(
        self, name: str, identity: Mapping[str, Any], root: Path | str | None = None
    ) -> None:
        self.name = name
        self.identity = dict(identity)
        self.fingerprint = fingerprint(identity)
        base = features_root() if root is None else root
        self.place: StoreBackend = place(base, f"{name}-{self.fingerprint[:12]}")
        self._rows: dict[str, list[Row]] | None = None
        self._origins: dict[str, Origin] = {}

    @property
    def folder(self) -> Path:
        """The folder of the shards on this machine (for an object store: where they are kept once
        they have been read)."""
        return self.place.folder

    @property
    def rows(self) -> dict[str, list[Row]]:
        """Audio hash → its clips' rows, in order. Read from the shards' headers once."""
        if self._rows is None:
            self._rows, self._origins = self._read_headers()
        return self._rows

    def _read_headers(self) -> tuple[dict[str, list[Row]], dict[str, Origin]]:
        """Every track's rows and how it was heard: of two versions, those of the better one."""
        all_rows, origins = dict[str, list[Row]](), dict[str, Origin]()
        found = [
            shards.shard(self.folder / name, head, size) for name, head, size in self.place.heads()
        ]
        elsewhere = {  # said of tracks in other shards
            audio_hash: origin
            for shard in found
            for audio_hash, origin in shard.origins.items()
            if audio_hash not in shard.rows
        }
        for shard in found:
            for audio_hash, rows in shard.rows.items():
                either = shard.origins.get(audio_hash, FIRST), elsewhere.get(audio_hash, FIRST)
                origin = max(either, key=lambda origin: origin.hearing)
                before = origins.get(audio_hash)
                if before is None or _rank(origin) > _rank(before):
                    all_rows[audio_hash], origins[audio_hash] = rows, origin
        return all_rows, origins

    def origin(self, audio_hash: str) -> Origin:
        """How a stored track was heard."""
        return self._origins[audio_hash] if audio_hash in self.rows else FIRST

    def is_current(self, audio_hash: str) -> bool:
        """Whether a track is stored as it would be heard now."""
        return audio_hash in self.rows and all(_rank(self._origins[audio_hash]))

    def refresh(self) -> None:
        """Read the disk again on the next use."""
        self._rows = None

    def __contains__(self, audio_hash: str) -> bool:
        return audio_hash in self.rows

    def read(self, audio_hash: str) -> list[np.ndarray]:
        """The clips of a track: read-only views on mapped memory, nothing copied."""
        found = self.rows[audio_hash]
        for name in {row.shard.name for row in found}:
            self.place.fetch(name)
        return [shards.view(row) for row in found]

    def write_shard(
        self,
        tracks: Mapping[str, Sequence[np.ndarray]],
        origins: Mapping[str, Origin] | None = None,
    ) -> Path:
        """Write audio hash → clips as one shard, completely or not at all.

        Args:
            tracks: the clips of each track.
            origins: how these tracks were heard, and others that are stored already.

        The name follows from the hashes, so doing the work twice gives the same file. Raises
        MgcError if it cannot be written (a full disk); nothing half-written remains.
        """
        self.place.keep_identity(self._record())
        origins = origins or {}
        named = sorted(tracks) or ["heard", *sorted(origins)]
        name = hashlib.sha256("\n".join(named).encode()).hexdigest()[:24]
        path = self.place.put(f"{name}{shards.SUFFIX}", shards.serialised(tracks, origins))
        if self._rows is not None:
            with open(path, "rb") as file:
                self._rows.update(shards.shard(path, shards.head(file), path.stat().st_size).rows)
            self._origins.update({**dict.fromkeys(tracks, FIRST), **origins})
        return path

    def _record(self) -> dict[str, Any]:
        from mgc import __version__

        return {
            "schema": SCHEMA,
            "fingerprint": self.fingerprint,
            "made_by": f"mgc {__version__}",
            "identity": self.identity,
        }


def _rank(origin: Origin) -> tuple[bool, bool]:
    """Whether a track was heard by the present rule, and by the present decoders."""
    present = not origin.pyav or decoders.pyav() in ("", origin.pyav)
    return origin.hearing >= HEARING_REVISION, present


def forget(hashes: Set[str]) -> int:
    """Remove the shards on this machine that hold nothing but these tracks; returns how many."""
    removed = 0
    for folder, _ in stores():
        for name, head, size in place(folder.parent, folder.name).heads():
            found = shards.shard(folder / name, head, size)
            if {*found.rows, *found.origins} <= hashes:
                (folder / name).unlink(missing_ok=True)
                removed += 1
        if not any(folder.glob(f"*{shards.SUFFIX}")):
            shutil.rmtree(folder, ignore_errors=True)
    return removed


def stores() -> Iterator[tuple[Path, dict[str, Any]]]:
    """(folder, identity record) of every store on this machine."""
    root = features_root()
    if isinstance(root, Path):
        for path in sorted(root.glob("*/identity.json")):
            remedy = f"Remove them, and the next fit will recompute them: rm -r '{path.parent}'"
            yield path.parent, read_json(path, remedy)
