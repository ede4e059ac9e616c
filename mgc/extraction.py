"""Tracks × extractors → feature store. Each file is decoded once for all extractors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from mgc import audio, hashes
from mgc.clips import Clips
from mgc.errors import AudioError, MgcError
from mgc.progress import Progress, Silent
from mgc.sources import Source
from mgc.windows import SHORTEST_SECONDS

#: Files a shard: small enough to lose little when killed, large enough to read fast.
SHARD_TRACKS = 32
FLOAT16_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Failure:
    """A file that could not be used, and why."""

    path: Path
    reason: str


@dataclass
class Extraction:
    """What came of an extraction: files made, files that were there, and failures by path."""

    made: int = 0
    found: int = 0
    hashes: dict[Path, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def extract(
    paths: Sequence[Path], sources: Sequence[Source], progress: Progress | None = None
) -> Extraction:
    """Fill the stores of all sources with the features of all files; what is there stays.

    Files are taken in shards of `SHARD_TRACKS` in the given order; a shard is written whole or
    not at all, so that a killed run goes on where it stopped and ends with the same bytes.
    """
    progress = progress or Silent()
    result = Extraction(hashes=hashes.known(paths))
    todo = [chunk for chunk in _chunks(paths) if _missing(chunk, result.hashes, sources)]
    waiting = sum(len(_missing(chunk, result.hashes, sources)) for chunk in todo)
    result.found = len(paths) - waiting
    if not todo:
        return result
    names = " + ".join(source.name for source in sources)
    with progress.task(f"extracting {names}", waiting, "tracks") as task:
        for chunk in todo:
            missing = _missing(chunk, result.hashes, sources)
            done = ChunkWork(sources).run(missing, task.advance)
            hashes.remember(done.hashes)
            result.hashes |= done.hashes
            result.failures += done.failures
            result.made += len(missing) - len(done.failures)
    return result


def _chunks(paths: Sequence[Path]) -> Iterator[Sequence[Path]]:
    for start in range(0, len(paths), SHARD_TRACKS):
        yield paths[start : start + SHARD_TRACKS]


def _missing(
    paths: Iterable[Path], known: Mapping[Path, str], sources: Sequence[Source]
) -> list[Path]:
    return [
        path
        for path in paths
        if path not in known or any(known[path] not in source.store for source in sources)
    ]


class ChunkWork:
    """Makes one shard for each source out of a few files."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.rows: dict[str, dict[str, list[np.ndarray]]] = {s.name: {} for s in sources}

    def run(self, paths: Iterable[Path], advance: object = None) -> Extraction:
        """Decode, extract and write; the failures come back in the result."""
        result = Extraction()
        for path in paths:
            try:
                result.hashes[path] = audio.content_hash(path)
                self._add(path, result.hashes[path])
            except MgcError as error:
                result.failures.append(Failure(path, error.message))
            if callable(advance):
                advance()
        for source in self.sources:
            if self.rows[source.name]:
                source.store.write_shard(self.rows[source.name])
        return result

    def _add(self, path: Path, audio_hash: str) -> None:
        wanted = [source for source in self.sources if audio_hash not in source.store]
        for name, clips in features_of(path, wanted).items():
            self.rows[name][audio_hash] = clips


def features_of(path: Path, sources: Sequence[Source]) -> dict[str, list[np.ndarray]]:
    """Each source's features of one file: a list with one array for each clip.

    Raises AudioError where the file cannot be used.
    """
    made: dict[str, list[np.ndarray]] = {}
    for policy in dict.fromkeys(source.policy for source in sources):
        same = [source for source in sources if source.policy == policy]
        for rate, clips in _clips(path, same).items():
            for source in (s for s in same if s.info.sample_rate == rate):
                made[source.name] = [row for part in clips for row in apply(source, part, path)]
    return made


def _clips(path: Path, sources: Sequence[Source]) -> dict[int, list[Clips]]:
    """The file's clips at every rate that the sources want; one decode for all."""
    waves = list(waveforms(path, sources[0].policy))
    rates = dict.fromkeys(source.info.sample_rate for source in sources)
    return {
        rate: [
            Clips(torch.from_numpy(audio.resample(wave, native, rate))[None], rate)
            for wave, native in waves
        ]
        for rate in rates
    }


def waveforms(path: Path, policy) -> Iterator[tuple[np.ndarray, int]]:  # type: ignore[no-untyped-def]
    """(mono samples, native rate) of each clip of a file, decoding no more than is heard."""
    found = audio.probe(path)
    for start in policy.starts(found.seconds):
        wave, rate = audio.decode(path, start=start, seconds=policy.seconds)
        if len(wave) < SHORTEST_SECONDS * rate:
            raise AudioError(f"{path}: is too short ({len(wave) / rate:.2f} s).")
        yield wave, rate


def apply(source: Source, clips: Clips, path: Path) -> list[np.ndarray]:
    """One extractor on some clips: an array for each, padding cut off, checked, ready to store."""
    try:
        with torch.inference_mode():
            output = source.extractor(clips)
    except MgcError:
        raise
    except Exception as error:
        raise AudioError(
            f"{path}: extractor {source.name!r} failed ({type(error).__name__}: {error})."
        ) from error
    rows = output.float().cpu().numpy()
    if source.kind == "sequence":
        counts = [source.frame_count(int(length)) for length in clips.lengths]
        rows = [row[:, :count] for row, count in zip(rows, counts, strict=True)]
    return [_storable(source, row, path) for row in rows]


def _storable(source: Source, row: np.ndarray, path: Path) -> np.ndarray:
    if not np.isfinite(row).all():
        raise AudioError(f"{path}: extractor {source.name!r} gave values that are not finite.")
    if source.kind == "sequence" and np.abs(row).max(initial=0.0) < FLOAT16_LARGEST:
        return row.astype(np.float16)
    return np.ascontiguousarray(row, dtype=np.float32)
