"""Where the tracks of a store are, and how they were heard, looked up when asked for.

Almost everything comes from the index (`mgc.features.store.shard_index`); the headers of the few
shards that are newer than it are read. If they are more than a few, a new index is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mgc.audio import decoders
from mgc.audio.sound_hash import SCHEME
from mgc.audio.sound_length import HEARING_REVISION
from mgc.features.store import shards
from mgc.features.store.backends import StoreBackend
from mgc.features.store.shard_index import KEY, ShardEntry, ShardIndex, load_index, renew
from mgc.features.store.shards import FIRST, Origin, Row, Shard

#: Shards that are read beside the index: this many, or this part of the indexed ones.
MIN_BESIDE, SHARE_BESIDE = 32, 1 / 32


class TrackRows(Mapping[str, list[Row]]):
    """Audio hash → its clips' rows, in order. A hash by an earlier rule is found, not listed."""

    def __init__(self, index: ShardIndex) -> None:
        self.index = index
        self.beside: dict[str, list[ShardEntry]] = {}  # of shards that are not in the index
        self.names: set[str] = set()  # those shards
        self.same: dict[str, str] = {}  # sound hash → the hash by an earlier rule
        #: The hashes by earlier rules, of tracks not yet found again by their sound.
        self.earlier = {*index.left.astype(str).tolist()}

    @classmethod
    def opened(cls, place: StoreBackend) -> TrackRows:
        """The tracks of the shards that are there now. Raises DamagedShardError."""
        stamps, index = place.stamps(), load_index(place.folder)
        known = index.facts.stamps
        new = sorted(name for name, stamp in stamps.items() if known.get(name) != stamp)
        heads = (
            (name, shards.shard(place.folder / name, head, size))
            for name, head, size in place.heads(new)
        )
        if _is_much(len(new), index) or any(stamps.get(name) != known[name] for name in known):
            return cls(renew(index, stamps, heads))
        rows = cls(index)
        for name, shard in heads:
            rows.add(name, shard)
        return rows

    def add(self, name: str, shard: Shard) -> None:
        """Take what a new shard says."""
        self.names.add(name)
        for key in {**shard.rows, **shard.origins}:
            entry = ShardEntry(name, shard.rows.get(key, []), shard.origins.get(key))
            self.beside.setdefault(key, []).append(entry)
        self.same |= shard.same
        self.earlier -= {*shard.same.values()}
        if shard.keys != SCHEME:
            self.earlier |= shard.rows.keys() - {*self.linked().values()}

    def adopt(self, audio_hash: str, earlier: str) -> bool:
        """Take a track for the one that is stored under an earlier hash, if there is one."""
        if earlier not in self.earlier:
            return False
        self.earlier.discard(earlier)
        self.same[audio_hash] = earlier
        return True

    def knows(self, name: str) -> bool:
        """Whether there was a shard of this name before."""
        return name in self.names or name in self.index.facts.stamps

    @property
    def is_behind(self) -> bool:
        """Whether so many shards are not in the index that a new one should be written."""
        return _is_much(len(self.names), self.index)

    def found(self, key: str) -> tuple[list[Row], Origin] | None:
        """A track's rows and how it was heard: of two versions, those of the better one."""
        entries = [*self.index.find(key), *self.beside.get(key, ())]
        if len(entries) == 1 and entries[0].rows:  # the usual case, faster
            return entries[0].rows, entries[0].origin or FIRST
        if not any(entry.rows and not entry.alias for entry in entries) and key in self.same:
            earlier = self.same[key]
            entries += [*self.index.find(earlier), *self.beside.get(earlier, ())]
        own = [entry for entry in entries if entry.rows and not entry.alias]
        own = own or [entry for entry in entries if entry.rows]
        said = max((e.origin for e in entries if not e.rows and e.origin), key=rank, default=FIRST)
        best: tuple[list[Row], Origin] | None = None
        for entry in sorted(own, key=lambda entry: entry.shard):
            origin = entry.origin or FIRST
            origin = said if said.hearing > origin.hearing else origin
            if best is None or rank(origin) > rank(best[1]):
                best = entry.rows, origin
        return best

    def linked(self) -> dict[str, str]:
        """Sound hash → the hash by an earlier rule under which a shard holds the track."""
        return {
            **dict(self.index.links[["sound", "earlier"]].astype("U64,U64").tolist()),
            **self.same,
        }

    def current(self, keys: Sequence[str]) -> list[bool]:
        """Whether each track is stored as it would be heard now."""
        wanted = np.array(keys, KEY)
        there, asked = _beginnings(self.index.keys), _beginnings(wanted)  # faster than whole keys
        first = np.searchsorted(there, asked)
        count = np.searchsorted(there, asked, "right") - first
        one, alone = count == 1, np.zeros(len(keys), bool)
        entries = self.index.entries[first[one]]
        heard = [FIRST, *(Origin(*said) for said in self.index.facts.heard)]
        good = np.array([all(rank(origin)) for origin in heard])
        same = self.index.keys[first[one]] == wanted[one]
        alone[one] = same & good[entries["heard"]] & (entries["clips"] > 0)
        slow = count > 1
        if self.beside or self.same:
            slow |= np.array([key in self.beside or key in self.same for key in keys], bool)
        alone[slow] = [self.is_current(keys[place]) for place in np.flatnonzero(slow).tolist()]
        return list(map(bool, alone))

    def is_current(self, key: str) -> bool:
        """The same of one track."""
        found = self.found(key)
        return found is not None and all(rank(found[1]))

    def __getitem__(self, key: str) -> list[Row]:
        found = self.found(key)
        if found is None:
            raise KeyError(key)
        return found[0]

    def __iter__(self) -> Iterator[str]:
        """Each track once: one found again by its sound, without its hash by an earlier rule."""
        earlier = {*self.linked().values()}
        held = np.unique(self.index.keys[self.index.entries["clips"] > 0]).astype(str).tolist()
        yield from (key for key in held if key not in earlier)
        for key in sorted({*self.beside, *self.same} - earlier):
            if key in self and not any(entry.rows for entry in self.index.find(key)):
                yield key

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _beginnings(keys: np.ndarray) -> np.ndarray:
    """The first eight bytes of each key as a number, in the same order."""
    return keys.view(">u8")[:: KEY.itemsize // 8].astype(np.uint64)


def _is_much(count: int, index: ShardIndex) -> bool:
    return count > max(MIN_BESIDE, SHARE_BESIDE * len(index.names))


def rank(origin: Origin) -> tuple[bool, bool]:
    """Whether a track was heard by the present rule, and by the present decoders."""
    present = not origin.pyav or decoders.pyav() in ("", origin.pyav)
    return origin.hearing >= HEARING_REVISION, present
