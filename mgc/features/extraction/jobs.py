"""Determines which files need which features, in the order of the files.

Everything that decides what a shard holds is decided here from the order and the content of the
files and from what was stored before, never from which worker was faster: so a run gives the same
bytes with any number of workers, killed and resumed or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc.audio import decoding
from mgc.errors import MgcError
from mgc.features import file_hashes
from mgc.features.extractor_spec import ExtractorSpec

#: Files hashed before the decoders need them, in this many threads: enough to keep a disk busy, few
#: enough that the decoders find them in the page cache.
MAX_HASHES, HASHING_THREADS = 16, 4


#: The stamp and content hash of a file, or why it cannot be read.
Hashed = tuple[file_hashes.Stamp, str] | MgcError


@dataclass(frozen=True)
class ExtractionJob:
    """One file, and the features to make from it.

    Attributes:
        number: its place among the files of the run.
        path: the file (or audio in memory, if it is worked on in this process).
        stamp: its size and time of change before it was read.
        audio_hash: SHA-256 of its content; "" if it cannot be read.
        wanted: the numbers of the sources that lack it; none if they all have it, or if an earlier
            file with the same content provides it.
        problem: why it cannot be read, or "".
    """

    number: int
    path: Any
    stamp: file_hashes.Stamp = (0, 0)
    audio_hash: str = ""
    wanted: tuple[int, ...] = ()
    problem: str = ""


class ExtractionPlan:
    """The jobs of one run."""

    def __init__(self, paths: Sequence[Path], sources: Sequence[ExtractorSpec]) -> None:
        self.paths = paths
        self.sources = sources
        self.known = file_hashes.known(paths)
        self.there = {
            path: sha
            for path, (_, sha) in self.known.items()
            if all(sha in source.store for source in sources)
        }
        #: Files whose features may be incomplete.
        self.waiting = sum(path not in self.there for path in paths)

    def jobs(self) -> Iterator[ExtractionJob]:
        """One job per waiting file, in order. Files are hashed slightly ahead."""
        seen: set[str] = set(self.there.values())
        todo = [(n, path) for n, path in enumerate(self.paths) if path not in self.there]
        for (number, path), result in zip(todo, self._hashed(todo), strict=True):
            if isinstance(result, MgcError):
                yield ExtractionJob(number, path, problem=result.message)
                continue
            stamp, sha = result
            lacking = (n for n, source in enumerate(self.sources) if sha not in source.store)
            wanted = () if sha in seen else tuple(lacking)
            seen.add(sha)
            yield ExtractionJob(number, path, stamp, sha, wanted)

    def _hashed(self, todo: Sequence[tuple[int, Path]]) -> Iterator[Hashed]:
        with ThreadPoolExecutor(HASHING_THREADS, "hash") as threads:
            waiting: deque[Future[Hashed]] = deque()
            try:
                for _, path in todo:
                    waiting.append(threads.submit(self._hash, path))
                    if len(waiting) >= MAX_HASHES:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _hash(self, path: Path) -> Hashed:
        if path in self.known:
            return self.known[path]
        before = file_hashes.stamp(path) or (0, 0)
        try:
            return before, decoding.content_hash(path)
        except MgcError as error:
            return error
