"""The features of one identity: listing, reading and adding."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mgc.audio.sound_hash import SCHEME
from mgc.errors import MgcError
from mgc.features.store import shards
from mgc.features.store.backends import IDENTITY, StoreBackend, place
from mgc.features.store.shard_index import INDEX
from mgc.features.store.shards import FIRST, DamagedShardError, Origin, Shard
from mgc.features.store.track_rows import TrackRows
from mgc.features.store_folders import features_root, stores
from mgc.home import CHANGED, Verification

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
        self._rows: TrackRows | None = None
        self._intact = set[str]()  # tracks that were read and verified

    @property
    def folder(self) -> Path:
        """The folder of the shards on this machine (for an object store: where they are kept once
        they have been read)."""
        return self.place.folder

    @property
    def rows(self) -> TrackRows:
        """Audio hash → its clips' rows, in order."""
        if self._rows is None:
            self._rows = TrackRows.opened(self.place)
        return self._rows

    def origin(self, audio_hash: str) -> Origin:
        """How a stored track was heard."""
        found = self.rows.found(audio_hash)
        return found[1] if found else FIRST

    def is_current(self, audio_hash: str) -> bool:
        """Whether a track is stored as it would be heard now."""
        return self.rows.is_current(audio_hash)

    def _drop_index(self) -> None:
        """Read all headers on the next use."""
        with suppress(OSError):
            (self.folder / INDEX).unlink(missing_ok=True)
        self.refresh()

    def refresh(self) -> None:
        """Read the disk again on the next use."""
        self._rows = None
        self._intact.clear()
        shards.unmap()

    def __contains__(self, audio_hash: str) -> bool:
        return audio_hash in self.rows

    def read(self, audio_hash: str) -> list[np.ndarray]:
        """The clips of a track: read-only views on mapped memory, nothing copied.

        Raises DamagedShardError if they have changed since they were written.
        """
        try:
            return self._read(audio_hash)
        except FileNotFoundError:  # another process replaced the shard
            self.refresh()
            return self._read(audio_hash)

    def _read(self, audio_hash: str) -> list[np.ndarray]:
        found = self.rows[audio_hash]
        for name in {row.shard.name for row in found}:
            self.place.fetch(name)
        if audio_hash not in self._intact:
            if not all(map(shards.is_intact, found)):
                self._drop_index()  # in case it is what is wrong
                raise DamagedShardError(found[0].shard, f"track {audio_hash[:12]} in it {CHANGED}")
            self._intact.add(audio_hash)
        return [shards.view(row) for row in found]

    def begin(self) -> None:
        """Write what the store holds. Raises MgcError if it cannot be written."""
        self.place.keep_identity(self._record())

    def write_shard(
        self,
        tracks: Mapping[str, Sequence[np.ndarray]],
        origins: Mapping[str, Origin] | None = None,
        same: Mapping[str, str] | None = None,
        keys: str = SCHEME,
    ) -> Path:
        """Write audio hash → clips as one shard, completely or not at all.

        Args:
            tracks: the clips of each track.
            origins: how these tracks were heard, and others that are stored already.
            same: under which earlier hash other tracks are stored.
            keys: the rule of the hashes.

        The name follows from the hashes, so doing the work twice gives the same file. Raises
        MgcError if it cannot be written (a full disk); nothing half-written remains.
        """
        self.begin()
        origins, same = origins or {}, same or {}
        named = sorted(tracks) or ["heard", *sorted({*origins, *same})]
        name = hashlib.sha256("\n".join(named).encode()).hexdigest()[:24]
        path = self.folder / f"{name}{shards.SUFFIX}"
        is_read = self._rows is not None  # not where a cluster's node only adds to it
        content = shards.serialised(tracks, origins, same, keys)
        self.place.put(path.name, content, keep=is_read)
        self._intact -= tracks.keys()
        if is_read:
            self._take(path.name)
        return path

    def _take(self, name: str) -> None:
        """Know a shard that was just written."""
        rows = self.rows
        if rows.knows(name) or rows.is_behind:
            with suppress(DamagedShardError):  # which another process has left
                shards.unmap()
                self._rows = TrackRows.opened(self.place)
                for audio_hash, earlier in rows.same.items():
                    self._rows.adopt(audio_hash, earlier)
                return
        with suppress(FileNotFoundError):  # which another process has removed
            rows.add(name, self._shard(name))

    def mended(self) -> list[str]:
        """Remove the shards whose headers are damaged; returns what was wrong with them."""
        said: list[str] = []
        while True:
            try:
                self.rows  # noqa: B018 - reads them
                return said
            except DamagedShardError as error:
                self.place.remove(error.name)
                said.append(error.message)

    def take_out(self, name: str) -> list[str]:
        """Write a shard anew without its damaged tracks; returns their audio hashes.

        Of a shard on an object store, it may be the copy on this machine that is damaged.
        """
        self.place.fetch(name, anew=True)
        self.refresh()
        if not (self.folder / name).exists():  # another process did this
            return []
        found = self._shard(name)
        damaged = [key for key, rows in found.rows.items() if not all(map(shards.is_intact, rows))]
        if damaged:
            self._thin(name, found, {*damaged})
        return damaged

    def leave_out(self, tracks: Set[str]) -> None:
        """Write anew the shards that hold any of these tracks, without them."""
        linked = self.rows.linked()
        tracks = tracks | {linked[key] for key in tracks & linked.keys()}
        for name in self.place.stamps():
            with suppress(FileNotFoundError):  # another process did this
                found = self._shard(name)
                if tracks & (found.rows.keys() or {*found.origins, *found.same}):
                    self._thin(name, found, tracks)

    def _thin(self, name: str, found: Shard, out: Set[str]) -> None:
        clips = {
            key: [shards.view(row) for row in rows]
            for key, rows in found.rows.items()
            if key not in out
        }
        origins = {key: origin for key, origin in found.origins.items() if key not in out}
        same = {key: earlier for key, earlier in found.same.items() if key not in out}
        if clips or origins or same:
            self.write_shard(clips, origins, same, found.keys)
        self.place.remove(name)
        self.refresh()

    def verify(self, *, add: bool = False) -> Verification:
        """Read every clip. What is damaged is taken out, so that the next extraction makes it.

        ``add`` gives checksums to the shards that lack them.
        """
        result = Verification()
        self._drop_index()
        result.damaged += self.mended()
        for name in sorted(self.place.stamps()):
            with suppress(FileNotFoundError):  # another process has removed it
                self._verify_shard(name, result, add)
        return result

    def _verify_shard(self, name: str, result: Verification, add: bool) -> None:
        tracks = self._shard(name).rows
        damaged = self.take_out(name)
        result.damaged += [f"track {sha} in {name} {CHANGED}" for sha in damaged]
        left = tracks.keys() - {*damaged}
        plain = sorted(sha for sha in left if not all(row.checksum for row in tracks[sha]))
        result.verified += len(left) - len(plain)
        if plain and add:
            self._seal(name)
            result.verified += len(plain)
        else:
            result.unverified += plain

    def _seal(self, name: str) -> None:
        """Write a shard anew, with checksums."""
        found = self._shard(name)
        clips = {sha: [shards.view(row) for row in rows] for sha, rows in found.rows.items()}
        self.place.put(name, shards.serialised(clips, *found[1:]))
        self.refresh()

    def _shard(self, name: str) -> Shard:
        path = self.folder / name
        with open(path, "rb") as file:
            return shards.shard(path, shards.head(file), path.stat().st_size)

    def _record(self) -> dict[str, Any]:
        from mgc import __version__

        return {
            "schema": SCHEMA,
            "fingerprint": self.fingerprint,
            "made_by": f"mgc {__version__}",
            "identity": self.identity,
        }


def opened_stores() -> Iterator[FeatureStore]:
    """Every store on this machine. Raises MgcError if one does not say rightly what it is."""
    for folder, record in stores():
        store = FeatureStore(record["identity"]["extractor"], record["identity"], folder.parent)
        if store.folder != folder:
            raise MgcError(f"{folder / IDENTITY} is damaged.", f"Remove it: rm -r '{folder}'")
        yield store


def forget(hashes: Set[str]) -> int:
    """Remove the shards on this machine that hold nothing but these tracks; returns how many."""
    removed = 0
    for folder, _ in stores([]):
        one = place(folder.parent, folder.name)
        for name, head, size in one.heads([*one.stamps()]):
            found = shards.shard(folder / name, head, size)
            if {*found.rows, *found.origins, *found.same} <= hashes:
                (folder / name).unlink(missing_ok=True)
                removed += 1
        if not any(folder.glob(f"*{shards.SUFFIX}")):
            shutil.rmtree(folder, ignore_errors=True)
    return removed
