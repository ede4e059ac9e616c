"""Remembers the content hash of audio files, so that an unchanged file is not read again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from mgc.audio.file_cache import FileCache, Stamp, stamp

__all__ = ["Stamp", "known", "remember", "stamp"]

_CACHE = FileCache(
    "audio-hashes.sqlite",
    "files",
    "(path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT) WITHOUT ROWID",
    os.fsencode,
)


def known(paths: Iterable[Path]) -> dict[Path, tuple[Stamp, str]]:
    """The stamps and hashes of those files that have not changed since they were hashed."""
    return {path: (now, sha) for path, (now, (sha,)) in _CACHE.known(paths, "sha256").items()}


def remember(hashes: Mapping[Path, tuple[Stamp, str]]) -> None:
    """Store hashes, each with the stamp that the file had before it was read."""
    _CACHE.remember({path: (stamp, (sha,)) for path, (stamp, sha) in hashes.items()})
