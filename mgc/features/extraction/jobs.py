"""Determines which files need which features, in the order of the files.

Everything that decides what a shard holds is decided here from the order and the content of the
files and from what was stored before, never from which worker was faster: so a run gives the same
bytes with any number of workers, killed and resumed or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import Any

from mgc.audio.file_cache import batched
from mgc.audio.sound_hash import sound_hash
from mgc.errors import MgcError
from mgc.features import file_hashes
from mgc.features.extraction.heard_before import present
from mgc.features.extractor_spec import ExtractorSpec
from mgc.features.file_hashes import Stamp
from mgc.features.store import Origin

#: Files hashed before the decoders need them, in this many threads: enough to keep a disk busy, few
#: enough that the decoders find them in the page cache.
MAX_HASHES, HASHING_THREADS = 16, 4
NO_STAMP = Stamp(0, 0)
#: A file's number, its path, and its stamp and hash if it has not changed since it was hashed.
File = tuple[int, Path, tuple[Stamp, str] | None]


@dataclass(frozen=True)
class ExtractionJob:
    """One file, and the features to make from it.

    Attributes:
        number: its place among the files of the run.
        path: the file (or audio in memory, if it is worked on in this process).
        stamp: its size and time of change before it was read.
        audio_hash: the hash of its sound; "" if it cannot be read.
        wanted: the numbers of the sources that lack it, or must hear it again; none if they all
            have it, or if an earlier file with the same content provides it.
        right: how the sources, by number, heard it whose features an earlier rule of hearing made
            and that the present one would make too.
        same: by number, the sources that hold it under a hash of an earlier version, and that hash.
        again: why stored features are made again, in words, or "".
        problem: why it cannot be read, or "".
    """

    number: int
    path: Any
    stamp: Stamp = NO_STAMP
    audio_hash: str = ""
    wanted: tuple[int, ...] = ()
    right: Mapping[int, Origin] = field(default_factory=dict)
    same: Mapping[int, str] = field(default_factory=dict)
    again: str = ""
    problem: str = ""


class ExtractionPlan:
    """The jobs of one run."""

    def __init__(self, paths: Sequence[Path], sources: Sequence[ExtractorSpec]) -> None:
        self.paths = paths
        self.sources = sources
        #: May hash files that are new on other machines; the others are hashed here.
        self.elsewhere: Callable[[Iterator[File]], Iterator[File]] = iter
        #: Files whose features are complete, with their hashes: all that is kept of any file.
        self.there: dict[Path, str] = {}
        for some in batched(paths, file_hashes.AT_ONCE):
            hashes = {path: sha for path, (_, sha) in file_hashes.known(some).items()}
            # Opens every store, before several threads look at them.
            current = [one.store.rows.current([*hashes.values()]) for one in sources]
            complete = map(all, zip(*current, strict=True))
            self.there |= dict(compress(hashes.items(), complete))
        #: Files whose features may be incomplete.
        self.waiting = sum(path not in self.there for path in paths)

    def jobs(self) -> Iterator[ExtractionJob]:
        """One job per waiting file, in order. Files are hashed slightly ahead."""
        seen: set[str] = set(self.there.values())
        for job in self._looked_at():
            yield replace(job, wanted=(), right={}, same={}) if job.audio_hash in seen else job
            seen.update([job.audio_hash] if job.audio_hash else [])

    def _todo(self) -> Iterator[File]:
        """The waiting files."""
        numbers = (n for n, path in enumerate(self.paths) if path not in self.there)
        for some in batched(numbers, file_hashes.AT_ONCE):
            known = file_hashes.known(self.paths[number] for number in some)
            yield from ((n, self.paths[n], known.get(self.paths[n])) for n in some)

    def _looked_at(self) -> Iterator[ExtractionJob]:
        with ThreadPoolExecutor(HASHING_THREADS, "hash") as threads:
            waiting: deque[Future[ExtractionJob]] = deque()
            try:
                for file in self.elsewhere(self._todo()):
                    waiting.append(threads.submit(self._look, *file))
                    if len(waiting) >= MAX_HASHES:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _look(self, number: int, path: Path, known: tuple[Stamp, str] | None) -> ExtractionJob:
        """Hash a file, unless it has not changed, and look up what the stores hold of it."""
        try:
            stamp, sha = known or (file_hashes.stamp(path) or NO_STAMP, sound_hash(path))
            same = self._adopt(path, sha)
        except MgcError as error:
            return ExtractionJob(number, path, problem=error.message)
        wanted, again = [], ""
        right: dict[int, Origin] = {}
        for n, source in enumerate(self.sources):
            if sha not in source.store:
                wanted.append(n)
            elif not source.store.is_current(sha):
                origin = present(path, source, sha)
                if isinstance(origin, Origin):
                    right[n] = origin
                elif origin:
                    wanted.append(n)
                    again = origin
        return ExtractionJob(number, path, stamp, sha, tuple(wanted), right, same, again)

    def _adopt(self, path: Path, sha: str) -> dict[int, str]:
        """Find what an earlier version stored of a file, by the hashes that it had then."""
        rows = [source.store.rows for source in self.sources]
        lacking = [n for n, each in enumerate(rows) if sha not in each and each.earlier]
        found: dict[int, str] = {}
        earlier = file_hashes.earlier(path)
        while len(found) < len(lacking) and (before := next(earlier, "")):
            found |= {n: before for n in lacking if n not in found and rows[n].adopt(sha, before)}
        return found
