"""Hears a file once, in full, and records what a check or audit needs: level, length, identity.

The results are kept in one SQLite file in the home folder, by the content of the files: a check
that was stopped continues where it was, an audit after a check decodes nothing, and a file that was
moved or copied is known. What was heard of a file is valid as long as the rule of hearing
and the decoder that heard it are the same; a failure, as long as all decoders are; and what may
lie outside the file (`mgc.audio.decoders.is_outside`) is not kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mgc.audio import decoders, decoding
from mgc.audio.containers.contents import claim_remark
from mgc.audio.file_cache import LOCKED_SECONDS, FileCache, Stamp
from mgc.audio.no_music import Levels
from mgc.audio.sound_hash import sound_hash
from mgc.audio.sound_length import HEARING_REVISION
from mgc.datasets.quality import acoustic_fingerprint
from mgc.errors import AudioError
from mgc.features import file_hashes
from mgc.progress import Progress, Silent

REVISION = 3  # increase it if anything below gives other values: all files are heard again
#: A sample this near to the loudest one (or to full scale) is at the ceiling.
CEILING = 0.995
KEPT_AT_ONCE = 32  # files; a kill loses no more than these
RECALLED_AT_ONCE = 10_000  # files: bounds the memory for rows as they are stored

_CACHE = FileCache(
    "heard.sqlite",
    "contents",
    ("sha256 TEXT PRIMARY KEY", "revision TEXT", "facts TEXT", "codes BLOB"),
)

NO_CODES: Any = np.zeros(0, np.uint32)
NO_CODES.flags.writeable = False


@dataclass(frozen=True)
class ListeningResult:
    """What one file holds.

    Attributes:
        problem: why it cannot be decoded, or "".
        retry: whether the cause of the problem may lie outside the file.
        decoder: what decoded it, with its version.
        rate: samples per second.
        channels: how many.
        seconds: decoded length.
        remark: what is wrong in its header, or besides the sound in it; or "".
        peak: largest absolute sample of all channels.
        loudest: RMS of its loudest second, all channels mixed.
        silent: why there is no music in it, or "".
        quietest: RMS of its quietest channel.
        ceiling: share of the samples that are at the ceiling.
        samples: a hash of the decoded mono samples and their rate.
        codes: its fingerprint (frame,) uint32.
    """

    problem: str = ""
    retry: bool = False
    decoder: str = ""
    rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    remark: str = ""
    peak: float = 0.0
    loudest: float = 0.0
    silent: str = ""
    quietest: float = 0.0
    ceiling: float = 0.0
    samples: str = ""
    codes: np.ndarray = field(default_factory=lambda: NO_CODES, compare=False)


def listen(path: Path) -> ListeningResult:
    """Decode a file and measure it. What is wrong with it is in the result, never raised."""
    try:
        with decoders.noting() as hearing, decoding.opened(path) as reader:
            rate = reader.format.sample_rate
            measured = _Measured(rate, reader.format.channels)
            for block in reader.blocks(0, None):
                for start in range(0, len(block), rate):  # a second at once: little memory
                    measured.add(block[start : start + rate])
        result = measured.result(hearing.pyav or decoding.DECODER)
        known = reader.format
        remark = known.remark or claim_remark(known.seconds, result.seconds, guessed=True)
        return replace(result, remark=remark)
    except AudioError as error:
        problem = error.reason.removeprefix(f"{path}: ")
        return ListeningResult(problem=problem, retry=decoders.is_outside(error))
    except (MemoryError, ValueError, RuntimeError) as error:
        problem = f"the decoder failed ({error or type(error).__name__})."
        return ListeningResult(problem=problem, retry=decoders.is_outside(error))


class _Measured:
    """Totals over a file's blocks, which do not depend on their size; an hour of any signal takes
    no more memory than one block and what `acoustic_fingerprint` needs."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate = rate
        self.levels = Levels(rate, channels)
        #: How many samples have each value from the ceiling to 1, which those above full scale
        #: count as: 84,000 float32 at most, whose bits, from `base`, are in their order.
        self.near, self.base = np.zeros(0, np.int64), 0
        self.digest = hashlib.blake2b(digest_size=16)
        self.beginning: list[np.ndarray] = []

    def add(self, block: np.ndarray) -> None:
        """Add the next (sample, channel) float32 block of the file."""
        wave = np.ascontiguousarray(decoding.mono(block))
        before = self.levels.length
        self.levels.add(block, wave)
        if problem := decoding.unusable(block, self.levels.energy.max()):
            raise AudioError(f"{problem}.")
        if self.levels.peak:
            self._note_near(np.abs(block))
        self.digest.update(wave.data)
        if before < acoustic_fingerprint.MAX_SECONDS * self.rate:
            self.beginning.append(wave)

    def _note_near(self, magnitude: np.ndarray) -> None:
        ceiling = np.float32(CEILING * min(self.levels.peak, 1.0))
        near = np.minimum(magnitude[magnitude >= ceiling], np.float32(1.0))
        base = int(ceiling.view(np.int32))
        kept, new = self.near[base - self.base :], np.bincount(near.view(np.int32) - base)
        self.near, self.base = np.zeros(max(len(kept), len(new)), np.int64), base
        self.near[: len(kept)] += kept
        self.near[: len(new)] += new

    def result(self, decoder: str) -> ListeningResult:
        """The result for the whole file."""
        levels = self.levels
        if not levels.length:
            raise AudioError("holds no samples.")
        self.digest.update(str(self.rate).encode())
        return ListeningResult(
            decoder=decoder,
            rate=self.rate,
            channels=len(levels.energy),
            seconds=levels.length / self.rate,
            peak=levels.peak,
            loudest=levels.loudest,
            silent=levels.no_music(),
            quietest=float(np.sqrt(levels.energy.min() / levels.length)),
            ceiling=int(self.near.sum()) / (levels.length * len(levels.energy)),
            samples=self.digest.hexdigest(),
            codes=acoustic_fingerprint.codes(np.concatenate(self.beginning), self.rate),
        )


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

    progress = progress or Silent()
    found = recall(paths, codes=codes)
    todo = [path for path in paths if path not in found]
    if not todo:
        return found
    new = _New({path: file_hashes.stamp(path) for path in todo}, progress)
    with progress.task("listening", len(todo), "tracks") as task:
        try:
            for path, facts in each(_listen, todo, workers, _crashed):
                content = facts.pop("content", "")
                heard = ListeningResult(**facts)
                new.add(path, content, heard)
                found[path] = heard if codes else replace(heard, codes=NO_CODES)
                task.advance()
        finally:
            new.keep()
    return found


class _New:
    """Results that are not stored yet."""

    def __init__(self, stamps: Mapping[Path, Stamp | None], progress: Progress) -> None:
        self.stamps, self.progress = stamps, progress
        self.hashes: dict[Path, tuple[Stamp, str]] = {}
        self.rows: list[tuple[str, str, str, bytes]] = []
        self.can_keep = True

    def add(self, path: Path, content: str, heard: ListeningResult) -> None:
        """Take the result of the next file; ``content`` is its hash, "" if it cannot be read."""
        before = self.stamps[path]
        if not content or before is None:
            return
        self.hashes[path] = before, content
        if not heard.retry:
            self.rows.append((content, *_row(heard)))
        if len(self.hashes) >= KEPT_AT_ONCE:
            self.keep()

    def keep(self) -> None:
        """Store the results; say once if that is not possible."""
        if self.can_keep:
            trouble = file_hashes.remember(self.hashes) or _CACHE.keep(self.rows)
            if trouble:
                self.progress.say(f"What was heard is not kept: {trouble}")
                self.can_keep = False
        self.hashes, self.rows = {}, []


def _listen(path: Path) -> dict[str, Any]:
    """Hear a file in a worker process, unless a file with the same sound was heard before."""
    try:
        content = sound_hash(path)
        hashes = [content, *file_hashes.earlier(path)]
    except AudioError:
        return vars(listen(path))
    known = _recalled(hashes, codes=True, wait=0.1)  # longer would cost a decode
    heard = next((known[sha] for sha in hashes if sha in known), None) or listen(path)
    return {**vars(heard), "content": content}


def _crashed(path: Path) -> dict[str, Any]:
    return {"problem": "the decoder crashed on it, or took too long.", "retry": True}


def recall(paths: Iterable[Path], *, codes: bool = False) -> dict[Path, ListeningResult]:
    """The stored results of the files that have not changed since."""
    there = list(paths)
    found: dict[Path, ListeningResult] = {}
    for start in range(0, len(there), RECALLED_AT_ONCE):
        some = file_hashes.known(there[start : start + RECALLED_AT_ONCE])
        hashes = {path: sha for path, (_, sha) in some.items()}
        heard = _recalled(hashes.values(), codes=codes)
        found |= {path: heard[sha] for path, sha in hashes.items() if sha in heard}
    return found


def _recalled(
    hashes: Iterable[str], *, codes: bool, wait: float = LOCKED_SECONDS
) -> dict[str, ListeningResult]:
    found = {}
    for sha, (_, revision, facts, *rest) in _CACHE.find(hashes, wait, last=codes).items():
        if _is_valid(revision):
            own = np.frombuffer(rest[0], "<u4") if codes else NO_CODES
            found[sha] = ListeningResult(**json.loads(facts), codes=own)
    return found


def _row(heard: ListeningResult) -> tuple[str, str, bytes]:
    facts = {name: value for name, value in asdict(heard).items() if name != "codes"}
    revision = _revision(heard.decoder or _all_decoders())
    return revision, json.dumps(facts), heard.codes.astype("<u4").tobytes()


def _is_valid(revision: str) -> bool:
    if revision == _revision(decoding.DECODER):
        return True
    return revision in (_revision(decoders.pyav()), _revision(_all_decoders()))


def _revision(decoder: str) -> str:
    return f"{REVISION}, hearing {HEARING_REVISION}, {decoder}"


def _all_decoders() -> str:
    return f"{decoding.DECODER}, {decoders.pyav() or 'PyAV absent'}"
