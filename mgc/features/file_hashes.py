"""Remembers the content hash of audio files, so that an unchanged file is not read again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mgc.audio import decoding
from mgc.audio.file_cache import FileCache, Stamp, stamp
from mgc.errors import AudioError

__all__ = ["Stamp", "hashes", "known", "remember", "stamp"]

_ADDED = ("ctime_ns INTEGER", "inode INTEGER")
_CACHE = FileCache(
    "audio-hashes.sqlite",
    "files",
    ("path BLOB PRIMARY KEY", "size INTEGER", "mtime_ns INTEGER", "sha256 TEXT", *_ADDED),
    _ADDED,
)


def known(paths: Iterable[Path]) -> dict[Path, tuple[Stamp, str]]:
    """The stamps and hashes of those files that have not changed since they were hashed."""
    found, partial = {}, {}
    by_key = {os.fsencode(path): path for path in paths}
    for key, (_, size, mtime_ns, sha, *more) in _CACHE.find(by_key).items():
        path, then = by_key[key], Stamp(size, mtime_ns, *more)
        now = stamp(path)
        if now and now.is_same(then):
            found[path] = now, sha
            if then.ctime_ns is None:  # an earlier version's
                partial[path] = now, sha
    remember(partial)
    return found


def hashes(paths: Sequence[Path]) -> list[str]:
    """SHA-256 of the content of each file, "" if it cannot be read; only changed files are read."""
    found = known(paths)
    new: dict[Path, tuple[Stamp, str]] = {}
    for path in paths:
        if path not in found and (before := stamp(path)):
            with suppress(AudioError):
                new[path] = before, decoding.content_hash(path)
    remember(new)
    found |= new
    return [found[path][1] if path in found else "" for path in paths]


def remember(hashes: Mapping[Path, tuple[Stamp, str]]) -> str:
    """Store hashes, each with the stamp that the file had before it was read.

    Returns why that is not possible, or "".
    """
    rows = [
        (os.fsencode(path), then.size, then.mtime_ns, sha, then.ctime_ns, then.inode)
        for path, (then, sha) in hashes.items()
    ]
    return _CACHE.keep(rows)
