"""Remembers the hash of the sound in audio files, so that an unchanged file is not read again.

Features and listening results are kept by this hash: a file that is retagged, renamed or moved is
found again, and files with the same sound share them. Versions before 0.2 kept them by the SHA-256
of the whole file, and the first ones of 0.2 by a former rule.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mgc.audio.decoding import content_hash
from mgc.audio.file_cache import FileCache, Stamp, batched, stamp
from mgc.audio.sound_hash import FORMER_SCHEME, sound_hash
from mgc.errors import AudioError

__all__ = ["Stamp", "hashes", "known", "remember", "stamp"]

AT_ONCE = 10_000  # files: bounds the memory for rows as they are stored

_CACHE = FileCache(
    "audio-hashes.sqlite",
    "sounds_2",
    (
        *("path BLOB PRIMARY KEY", "size INTEGER", "mtime_ns INTEGER", "sound TEXT"),
        *("ctime_ns INTEGER", "inode INTEGER"),
    ),
)


def known(paths: Iterable[Path]) -> dict[Path, tuple[Stamp, str]]:
    """The stamps and hashes of those files that have not changed since they were hashed."""
    found = {}
    for some in batched(paths, AT_ONCE):
        by_key = {os.fsencode(path): path for path in some}
        for key, (_, size, mtime_ns, hashed, *more) in _CACHE.find(by_key).items():
            now = stamp(by_key[key])
            if now and now.is_same(Stamp(size, mtime_ns, *more)):
                found[by_key[key]] = now, hashed
    return found


def earlier(path: Path) -> Iterator[str]:
    """Under which hashes earlier versions may have kept what is known of a file. Raises AudioError
    if it cannot be read."""
    yield sound_hash(path, FORMER_SCHEME)
    yield content_hash(path)


def last_known(paths: Iterable[Path]) -> dict[Path, str]:
    """The hashes that files had when they were last read, even if they have changed since."""
    by_key = {os.fsencode(path): path for path in paths}
    return {by_key[key]: row[3] for key, row in _CACHE.find(by_key).items()}


def hashes(paths: Sequence[Path]) -> list[str]:
    """The hash of the sound in each file, "" if it cannot be read; only changed files are read."""
    found = known(paths)
    new = read(path for path in paths if path not in found)
    remember(new)
    found |= new
    return [found[path][1] if path in found else "" for path in paths]


def read(paths: Iterable[Path]) -> dict[Path, tuple[Stamp, str]]:
    """Each file's stamp before it was read, and its hash; without those that cannot be read."""
    found = {}
    for path in paths:
        if before := stamp(path):
            with suppress(AudioError):
                found[path] = before, sound_hash(path)
    return found


def remember(hashes: Mapping[Path, tuple[Stamp, str]]) -> str:
    """Store hashes, each with the stamp that the file had before it was read.

    Returns why that is not possible, or "".
    """
    rows = [
        (os.fsencode(path), then.size, then.mtime_ns, hashed, then.ctime_ns, then.inode)
        for path, (then, hashed) in hashes.items()
    ]
    return _CACHE.keep(rows)
