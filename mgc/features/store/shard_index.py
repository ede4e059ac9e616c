"""One file that says where each track of a store is, so that opening a store reads no shard.

It is made from the shards' headers and can be made again at any time: it is written under a
temporary name and renamed, has a checksum of the whole file, and knows the size and the time of
change of every shard it was made from. Its tables are memory-mapped. One key takes 88 bytes, one
clip 16.
"""

from __future__ import annotations

import json
import mmap
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mgc.audio.sound_hash import SCHEME
from mgc.errors import MgcError
from mgc.features.store.shards import ALIGNMENT, CODES, DTYPES, Origin, Row, Shard
from mgc.home import checksum, replacing

INDEX, VERSION = "shards.index", 2
LENGTHS = len("00000000") + 8  # bytes: the checksum of what follows, and the length of the facts
KEY = np.dtype("S64")
#: One version of a track: the table of ``heard`` begins with "not said"; without clips it only says
#: how a track in another shard was heard; an alias stands under a second key.
ENTRY = np.dtype("<f8, <u4, <u4, <u2, <u2, <u4")
ENTRY.names = ("seconds", "shard", "first", "clips", "heard", "alias")
CLIP = np.dtype([("begin", "<u8"), ("sum", "<u4"), ("kind", "<u4")])
LINK = np.dtype([("sound", KEY), ("earlier", KEY), ("shard", "<u8")])
TABLES = {"keys": KEY, "entries": ENTRY, "clips": CLIP, "links": LINK, "left": KEY}


class ShardEntry(NamedTuple):
    """What one shard says of a track: where its clips are, if it holds any, and how it was
    heard. ``alias``: the track was asked for under another hash than the shard's."""

    shard: str
    rows: list[Row]
    origin: Origin | None
    alias: bool = False


class IndexFacts(NamedTuple):
    """What the tables refer to by number: the shards with their stamps, those of earlier versions
    by name, (type, shape, has a checksum) of clips, and (revision, PyAV) of how tracks were heard.
    """

    stamps: dict[str, str]
    earlier: list[str]
    kinds: list[tuple[str, tuple[int, ...], bool]]
    heard: list[tuple[int, str]]


class ShardIndex:
    """Sorted tables in memory or in a mapped file: ``keys`` and ``entries`` (entry,), ``clips``
    (clip,), ``links`` (link,), and ``left``, the keys of earlier versions that no link names."""

    def __init__(self, folder: Path, facts: IndexFacts, tables: Mapping[str, np.ndarray]) -> None:
        self.folder, self.facts = folder, facts
        self.keys, self.entries, self.clips = (tables[n] for n in ("keys", "entries", "clips"))
        self.links, self.left = tables["links"], tables["left"]
        self.names = list(facts.stamps)

    def find(self, key: str) -> list[ShardEntry]:
        """What the shards say of a track."""
        wanted, found = key.encode(), []
        place = bisect_left(self.keys, wanted)
        while place < len(self.keys) and self.keys[place] == wanted:
            seconds, shard, first, count, heard, alias = self.entries[place].item()
            path, clips = self.folder / self.names[shard], self.clips[first : first + count]
            rows = [self._row(path, *clip) for clip in clips.tolist()]
            hearing, pyav = self.facts.heard[heard - 1] if heard else (0, "")
            origin = Origin(hearing, pyav, seconds) if heard else None
            found.append(ShardEntry(self.names[shard], rows, origin, bool(alias)))
            place += 1
        return found

    def _row(self, path: Path, begin: int, total: int, kind: int) -> Row:
        code, shape, sealed = self.facts.kinds[kind]
        sums = f"{total:08x}" if sealed else ""
        return Row(path, begin, shape, DTYPES[code], sums, 0)


def load_index(folder: Path) -> ShardIndex:
    """The index in a folder; an empty one if there is none, or if it is damaged."""
    path = folder / INDEX
    with suppress(OSError, ValueError, KeyError, TypeError):
        if path.is_file():  # opening a pipe would wait forever
            with open(path, "rb") as file:
                return _decoded(folder, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return ShardIndex(folder, IndexFacts({}, [], [], []), _no_rows())


def _no_rows() -> dict[str, np.ndarray]:
    return {name: np.zeros(0, dtype) for name, dtype in TABLES.items()}


def _decoded(folder: Path, content: bytes | mmap.mmap) -> ShardIndex:
    """Raises ValueError, KeyError or TypeError if it is damaged."""
    with memoryview(content) as whole:
        if len(whole) < LENGTHS or checksum(whole[8:]).encode() != bytes(whole[:8]):
            raise ValueError("it is damaged")
        begin = LENGTHS + int.from_bytes(whole[8:LENGTHS], "little")
        record = json.loads(bytes(whole[LENGTHS:begin]))
    if record["version"] != VERSION:
        raise ValueError("another version wrote it")
    tables = {}
    for name, dtype in TABLES.items():
        tables[name] = np.frombuffer(content, dtype, record["lengths"][name], begin)
        begin += tables[name].nbytes
    kinds = [(code, tuple(shape), sealed) for code, shape, sealed in record["kinds"]]
    heard = [(hearing, pyav) for hearing, pyav in record["heard"]]
    return ShardIndex(folder, IndexFacts(record["shards"], record["earlier"], kinds, heard), tables)


def renew(
    old: ShardIndex, stamps: Mapping[str, str], added: Iterable[tuple[str, Shard]]
) -> ShardIndex:
    """Write an index of the shards in ``stamps``: of those that are as they were in the old one,
    and of ``added``. If it cannot be written, it is used from memory."""
    collected = _Collected(old, stamps)
    for name, shard in added:
        collected.add(name, stamps[name], shard)
    content = collected.encoded()
    with suppress(MgcError):
        with replacing(old.folder / INDEX, sync=False) as file:  # the checksum tells
            file.writelines(content)
        return load_index(old.folder)
    return _decoded(old.folder, b"".join(content))


class _Collected:
    """The tables of an index that is being made, in pieces; it begins with what an old one says of
    the shards that are as they were."""

    def __init__(self, old: ShardIndex, stamps: Mapping[str, str]) -> None:
        known = old.facts.stamps
        self.stamps = {name: stamp for name, stamp in known.items() if stamps.get(name) == stamp}
        self.earlier = {*old.facts.earlier} & self.stamps.keys()
        self.kinds = {kind: number for number, kind in enumerate(old.facts.kinds)}
        self.heard = {heard: number for number, heard in enumerate(old.facts.heard)}
        keep = np.array([name in self.stamps for name in known], bool)
        numbers = np.cumsum(keep) - 1
        own = keep[old.entries["shard"]] & (old.entries["alias"] == 0)
        entries, links = old.entries[own], old.links[keep[old.links["shard"]]]
        for table in (entries, links):
            table["shard"] = numbers[table["shard"]]
        self.pieces = {"keys": [old.keys[own]], "entries": [entries], "clips": [old.clips]}
        self.pieces["links"] = [links]
        self.clips = len(old.clips)

    def add(self, name: str, stamp: str, shard: Shard) -> None:
        """Take what a shard says."""
        number = len(self.stamps)
        self.stamps[name] = stamp
        self.earlier |= {name} if shard.keys != SCHEME else set()
        keys, entries = [*{**shard.rows, **shard.origins}], []
        clips: list[tuple[int, int, int]] = []
        for key in keys:
            rows, origin = shard.rows.get(key, []), shard.origins.get(key)
            heard = 1 + _number(self.heard, origin[:2]) if origin else 0
            seconds = origin.seconds if origin else 0.0
            entries.append((seconds, number, self.clips + len(clips), len(rows), heard, 0))
            for row in rows:
                kind = _number(self.kinds, (CODES[row.dtype], row.shape, bool(row.checksum)))
                clips.append((row.begin, int(row.checksum or "0", 16), kind))
        self.clips += len(clips)
        links = [(sound, earlier, number) for sound, earlier in shard.same.items()]
        made = {"keys": keys, "entries": entries, "clips": clips, "links": links}
        for table, rows_of_it in made.items():
            self.pieces[table].append(np.array(rows_of_it, TABLES[table]))

    def encoded(self) -> list[bytes | memoryview]:
        """The whole file, in pieces; nothing can be added any more."""
        tables = self._tables()
        record = {
            "version": VERSION,
            "lengths": {name: len(table) for name, table in tables.items()},
            "shards": self.stamps,
            **{"earlier": [*self.earlier], "kinds": [*self.kinds], "heard": [*self.heard]},
        }
        text = json.dumps(record).encode()
        text += b" " * (-len(text) % ALIGNMENT)
        rest: list[bytes | memoryview] = [len(text).to_bytes(8, "little"), text]
        rest += [table.view(np.uint8).data for table in tables.values()]
        return [checksum(*rest).encode(), *rest]

    def _tables(self) -> dict[str, np.ndarray]:
        """The whole tables, by key, with the aliases that follow from the links."""
        keys, entries, clips, links = (np.concatenate(self.pieces.pop(n)) for n in [*self.pieces])
        keys, entries = _by_key(keys, entries)
        clips = clips[_ranges(entries["first"], entries["clips"])]
        entries["first"] = np.cumsum(entries["clips"], dtype=np.int64) - entries["clips"]
        earlier = np.array([name in self.earlier for name in self.stamps], bool)
        of_earlier = earlier[entries["shard"]] & (entries["clips"] > 0)
        left = np.setdiff1d(keys[of_earlier], links["earlier"])
        if len(links):
            first = np.searchsorted(keys, links["earlier"])
            counts = np.searchsorted(keys, links["earlier"], "right") - first
            aliases = entries[_ranges(first, counts)]
            aliases["alias"] = 1
            both = np.concatenate([keys, np.repeat(links["sound"], counts)])
            keys, entries = _by_key(both, np.concatenate([entries, aliases]))
        return dict(zip(TABLES, (keys, entries, clips, links, left), strict=True))


def _number(table: dict[Any, int], value: Any) -> int:
    return table.setdefault(value, len(table))


def _by_key(keys: np.ndarray, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(keys, kind="stable")  # fast where a part is in order already
    return keys[order], entries[order]


def _ranges(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The numbers ``first`` … ``first + count - 1`` of each pair, in one row."""
    ends = np.cumsum(counts, dtype=np.int64)
    return np.repeat(first - (ends - counts), counts) + np.arange(ends[-1] if len(ends) else 0)
