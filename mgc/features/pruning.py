"""Stored features of music that neither a dataset nor a run at home refers to."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgc import runs
from mgc.datasets import table
from mgc.errors import MgcError
from mgc.features import file_hashes
from mgc.features.extractor_spec import BASES
from mgc.features.store import FeatureStore, opened_stores
from mgc.features.store.shards import Row
from mgc.home import remove_folder
from mgc.runs.reference import audio_key


@dataclass(frozen=True)
class Unused:
    """The ``tracks`` of such music in a store, and the ``bytes`` that they take; ``stored`` is how
    many tracks it holds in all."""

    store: FeatureStore
    tracks: frozenset[str]
    stored: int
    bytes: int


def in_use() -> set[str]:
    """The audio keys of the music of every dataset and run.

    Files that are new or have changed are hashed; of one that is not there, the last known sound
    counts. Raises MgcError if a dataset or run is damaged, or if all files of a dataset are away.
    """
    keys = set[str]()
    for name in table.names():
        paths = table.load(name).paths()
        found = {*file_hashes.hashes(paths), *file_hashes.last_known(paths).values()} - {""}
        if paths and not found:
            raise MgcError(
                f"The files of dataset {name!r} are not there, so it is not known which features "
                "are theirs.",
                f"Connect their disk; or forget them: mgc data remove {name}",
            )
        keys |= {*map(audio_key, found)}
    there, damaged = runs.everything()
    for error in damaged:
        raise error
    for run in filter(lambda run: run.finished, there):
        rows = run.predictions
        keys |= {*rows.get("audio", [])}
        if "path" in rows and "audio" not in rows:  # of an earlier version
            keys |= {*map(audio_key, file_hashes.last_known(map(Path, rows["path"])).values())}
    return keys


def unused(keys: Set[str]) -> Iterator[Unused]:
    """What each store on this machine holds of other music than that with these audio keys."""
    for store in opened_stores():
        if store.identity.get("pooled") == BASES:  # a few kB, of no music in particular
            continue
        rows, linked = store.rows, store.rows.linked()
        known = frozenset(rows) - rows.earlier  # of the others, the sound is not known yet
        other = frozenset(
            key for key in known if keys.isdisjoint(map(audio_key, (key, linked.get(key, key))))
        )
        size = sum(_bytes(row) for key in other for row in rows[key])
        yield Unused(store, other, len(rows), size)


def remove(found: Unused) -> None:
    """Write the shards anew without the unused tracks; a store without shards is removed."""
    if found.tracks:
        found.store.leave_out(found.tracks)
        if not found.store.place.stamps():
            remove_folder(found.store.folder)


def _bytes(row: Row) -> int:
    return int(np.prod(row.shape)) * row.dtype.itemsize
