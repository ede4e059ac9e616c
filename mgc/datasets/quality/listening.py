"""Hears a file once, in full, and records what a check or audit needs: level, length, identity.

The results are kept in one SQLite file in the home folder, by path, size and mtime: a check that
was stopped continues where it was, and an audit after a check decodes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mgc.audio import decoding
from mgc.audio.file_cache import FileCache, Stamp, stamp
from mgc.datasets.quality import acoustic_fingerprint
from mgc.errors import AudioError
from mgc.progress import Progress, Silent

REVISION = 2  # increase it if anything below gives other values: all files are heard again
#: A sample this near to the loudest one (or to full scale) is at the ceiling.
CEILING = 0.995
KEPT_AT_ONCE = 32  # files; a kill loses no more than these

_CACHE = FileCache(
    "heard.sqlite",
    "heard",
    "(path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER,"
    " revision TEXT, facts TEXT, codes BLOB)",
    str,
)

NO_CODES: Any = np.zeros(0, np.uint32)
NO_CODES.flags.writeable = False


@dataclass(frozen=True)
class ListeningResult:
    """What one file holds.

    Attributes:
        problem: why it cannot be decoded, or "".
        rate: samples per second.
        channels: how many.
        seconds: decoded length.
        peak: largest absolute sample of all channels.
        loudest: RMS of its loudest second, all channels mixed.
        quietest: RMS of its quietest channel.
        ceiling: share of the samples that are at the ceiling.
        samples: a hash of the decoded mono samples and their rate.
        codes: its fingerprint (frame,) uint32.
    """

    problem: str = ""
    rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    peak: float = 0.0
    loudest: float = 0.0
    quietest: float = 0.0
    ceiling: float = 0.0
    samples: str = ""
    codes: np.ndarray = field(default_factory=lambda: NO_CODES, compare=False)


def listen(path: Path) -> ListeningResult:
    """Decode a file and measure it. What is wrong with it is in the result, never raised."""
    try:
        with decoding.opened(path) as reader:
            measured = _Measured(reader.format.sample_rate, reader.format.channels)
            for block in reader.blocks(0, None):
                measured.add(block)
        return measured.result()
    except AudioError as error:
        return ListeningResult(problem=error.message.removeprefix(f"{path}: "))
    except (MemoryError, ValueError, RuntimeError) as error:
        return ListeningResult(problem=f"the decoder failed ({error}).")


class _Measured:
    """Totals over a file's blocks; an hour of music takes no more memory than one block."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self.length, self.loudest = 0, 0.0
        self.energy = np.zeros(channels)
        self.loud: list[np.ndarray] = []  # samples near the peak so far
        self.peak = 0.0
        self.digest = hashlib.blake2b(digest_size=16)
        self.beginning: list[np.ndarray] = []

    def add(self, block: np.ndarray) -> None:
        """Add the next (sample, channel) float32 block of the file."""
        energy = np.einsum("ij,ij->j", block, block, dtype=np.float64)
        if not np.isfinite(energy).all():
            raise AudioError("holds samples that are not numbers (NaN or infinite).")
        magnitude = np.abs(block)
        self.peak = max(self.peak, float(magnitude.max()))
        self.loud.append(magnitude[magnitude >= CEILING * min(self.peak, 1.0)])
        wave = np.ascontiguousarray(decoding.mono(block))
        if not self.length or 2 * len(wave) > self.rate:
            self.loudest = max(self.loudest, _loudest_second(wave, self.rate))
        self.digest.update(wave.data)
        if self.length < acoustic_fingerprint.MAX_SECONDS * self.rate:
            self.beginning.append(wave)
        self.energy += energy
        self.length += len(wave)

    def result(self) -> ListeningResult:
        """The result for the whole file."""
        if not self.length:
            raise AudioError("holds no samples.")
        self.digest.update(str(self.rate).encode())
        ceiling = CEILING * min(self.peak, 1.0)
        full = sum(int(np.count_nonzero(loud >= ceiling)) for loud in self.loud)
        return ListeningResult(
            rate=self.rate,
            channels=self.channels,
            seconds=self.length / self.rate,
            peak=self.peak,
            loudest=self.loudest,
            quietest=float(np.sqrt(self.energy.min() / self.length)),
            ceiling=full / (self.length * self.channels) if self.peak else 0.0,
            samples=self.digest.hexdigest(),
            codes=acoustic_fingerprint.codes(np.concatenate(self.beginning), self.rate),
        )


def _loudest_second(wave: np.ndarray, rate: int) -> float:
    starts = range(0, max(1, len(wave) - rate // 2), rate)
    energies = [np.mean(np.square(wave[start : start + rate])) for start in starts]
    return float(np.sqrt(max(energies)))


def hear(
    paths: Sequence[Path],
    *,
    codes: bool = False,
    workers: int = 0,
    progress: Progress | None = None,
) -> dict[Path, ListeningResult]:
    """What each file holds; those heard before and unchanged are not decoded again.

    Args:
        paths: the files; a missing one is not an error here, see `ListeningResult.problem`.
        codes: return the fingerprints too; otherwise they are only stored (5 kB per clip).
        workers: processes; 0 means one per core.
        progress: informed about files.
    """
    from mgc.audio.processes.each_path import each

    found = recall(paths, codes=codes)
    todo = [path for path in paths if path not in found]
    if not todo:
        return found
    stamps = {path: stamp(path) for path in todo}
    new: dict[Path, tuple[Stamp | None, tuple[str, str, bytes]]] = {}
    with (progress or Silent()).task("listening", len(todo), "tracks") as task:
        try:
            for path, facts in each(_listen, todo, workers, _crashed):
                heard = ListeningResult(**facts)
                new[path] = stamps[path], _row(heard)
                found[path] = heard if codes else replace(heard, codes=NO_CODES)
                if len(new) >= KEPT_AT_ONCE:
                    _CACHE.remember(new)
                    new.clear()
                task.advance()
        finally:
            _CACHE.remember(new)
    return found


def _listen(path: Path) -> dict[str, Any]:
    return vars(listen(path))


def _crashed(path: Path) -> dict[str, Any]:
    return {"problem": "the decoder crashed on it, or took too long."}


def recall(paths: Iterable[Path], *, codes: bool = False) -> dict[Path, ListeningResult]:
    """The stored results of the files that have not changed since."""
    found = {}
    wanted = f"revision, facts{', codes' if codes else ''}"
    for path, (_, (revision, facts, *rest)) in _CACHE.known(paths, wanted).items():
        if revision == _revision():
            own = np.frombuffer(rest[0], "<u4") if codes else NO_CODES
            found[path] = ListeningResult(**json.loads(facts), codes=own)
    return found


def _row(heard: ListeningResult) -> tuple[str, str, bytes]:
    facts = {name: value for name, value in asdict(heard).items() if name != "codes"}
    return _revision(), json.dumps(facts), heard.codes.astype("<u4").tobytes()


def _revision() -> str:
    return f"{REVISION}, {decoding.DECODER}"
