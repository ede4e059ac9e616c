"""Hears a file once, whole, and notes all that a check or an audit asks: level, length, identity.

What was heard is kept in one SQLite file at home, by path, size and time of change: a check that
was stopped goes on where it was, and an audit after a check decodes nothing.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mgc import audio
from mgc.datasets import fingerprint
from mgc.errors import AudioError
from mgc.home import home
from mgc.progress import Progress, Silent

REVISION = 1  # raise it when anything below gives other values: all files are heard again
#: A sample this near to the loudest one (or to full scale) is at the ceiling.
CEILING = 0.995
PART_SECONDS = 300  # decoded at once: an hour of music takes no more memory than this
KEPT_AT_ONCE = 32  # files; a kill loses no more than these

_TABLE = (
    "CREATE TABLE IF NOT EXISTS heard (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER,"
    " revision TEXT, facts TEXT, codes BLOB)"
)


NO_CODES: Any = np.zeros(0, np.uint32)
NO_CODES.flags.writeable = False


@dataclass(frozen=True)
class Heard:
    """What one file holds.

    Attributes:
        problem: why it cannot be decoded, or "".
        rate: samples a second.
        channels: how many.
        seconds: decoded length.
        peak: largest absolute sample of the mono mix.
        loudest: RMS of its loudest second.
        ceiling: share of the samples that lie at the ceiling.
        samples: a hash of the decoded mono samples and their rate. Beyond `PART_SECONDS` an mp3
            and a lossless copy of what it decodes to may differ (its parts begin in the middle).
        codes: its fingerprint (frame,) uint32.
    """

    problem: str = ""
    rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    peak: float = 0.0
    loudest: float = 0.0
    ceiling: float = 0.0
    samples: str = ""
    codes: np.ndarray = field(default_factory=lambda: NO_CODES, compare=False)


def listen(path: Path) -> Heard:
    """Decode a file and measure it. What is wrong with it is in the result, never raised."""
    try:
        return _measure(path, audio.probe(path))
    except AudioError as error:
        return Heard(problem=error.message.removeprefix(f"{path}: "))
    except (MemoryError, ValueError, RuntimeError) as error:
        return Heard(problem=f"the decoder failed ({error}).")


def _measure(path: Path, header: audio.AudioFormat) -> Heard:
    length, peak, loudest, digest = 0, 0.0, 0.0, hashlib.blake2b(digest_size=16)
    levels: list[np.ndarray] = []  # loud samples of each part, until the peak is known
    codes = NO_CODES
    for wave, rate in _parts(path, header):
        magnitude = np.abs(wave)
        peak = max(peak, float(magnitude.max()))
        levels.append(magnitude[magnitude >= CEILING * min(peak, 1.0)])
        loudest = max(loudest, _loudest_second(wave, rate))
        digest.update(np.ascontiguousarray(wave).data)
        if not length:
            codes = fingerprint.codes(wave, rate)
        length += len(wave)
    digest.update(str(rate).encode())
    ceiling = CEILING * min(peak, 1.0)
    full = sum(int(np.count_nonzero(level >= ceiling)) for level in levels)
    return Heard(
        rate=rate,
        channels=header.channels,
        seconds=length / rate,
        peak=peak,
        loudest=loudest,
        ceiling=full / length if peak else 0.0,
        samples=digest.hexdigest(),
        codes=codes,
    )


def _parts(path: Path, header: audio.AudioFormat) -> Iterator[tuple[np.ndarray, int]]:
    """(mono samples, rate) of the file, a long one in parts of `PART_SECONDS`."""
    yield audio.decode(path, seconds=PART_SECONDS)
    for start in range(PART_SECONDS, int(np.ceil(header.seconds)), PART_SECONDS):
        try:
            yield audio.decode(path, start=start, seconds=PART_SECONDS)
        except AudioError as error:
            if "holds no samples" in error.message:
                return  # a header may promise a little more than there is
            raise


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
) -> dict[Path, Heard]:
    """What each file holds; those heard before and unchanged are not decoded again.

    Args:
        paths: the files; one that is missing is no error here, see `Heard.problem`.
        codes: give the fingerprints too; without, they are stored only (5 kB a clip).
        workers: processes; 0 takes one for each core.
        progress: told of files.
    """
    from mgc.datasets.workers import each

    found = recall(paths, codes=codes)
    todo = [path for path in paths if path not in found]
    if not todo:
        return found
    new: dict[Path, Heard] = {}
    with (progress or Silent()).task("listening", len(todo), "tracks") as task:
        try:
            for path, heard in each(listen, todo, workers, _crashed):
                new[path] = heard
                found[path] = heard if codes else replace(heard, codes=NO_CODES)
                if len(new) >= KEPT_AT_ONCE:
                    remember(new)
                    new.clear()
                task.advance()
        finally:
            remember(new)
    return found


def _crashed(path: Path) -> Heard:
    return Heard(problem="the decoder crashed on it.")


def recall(paths: Iterable[Path], *, codes: bool = False) -> dict[Path, Heard]:
    """What was heard of those files that have not changed since."""
    columns = f"size, mtime_ns, revision, facts{', codes' if codes else ''}"
    query = f"SELECT {columns} FROM heard WHERE path = ?"
    with closing(_open()) as database:
        found = {}
        for path in paths:
            stamp = _stamp(path)
            row = database.execute(query, [str(path)]).fetchone()
            if stamp and row and row[:3] == (*stamp, _revision()):
                own = np.frombuffer(row[4], "<u4") if codes else NO_CODES
                found[path] = Heard(**json.loads(row[3]), codes=own)
        return found


def remember(heard: Mapping[Path, Heard]) -> None:
    """Keep what was heard."""
    rows = []
    for path, one in heard.items():
        stamp = _stamp(path)
        if stamp:
            facts = {name: value for name, value in asdict(one).items() if name != "codes"}
            codes = one.codes.astype("<u4").tobytes()
            rows.append((str(path), *stamp, _revision(), json.dumps(facts), codes))
    with closing(_open()) as database, database:
        database.executemany("INSERT OR REPLACE INTO heard VALUES (?, ?, ?, ?, ?, ?)", rows)


def _revision() -> str:
    return f"{REVISION}, {audio.DECODER}"


def _open() -> sqlite3.Connection:
    folder = home()
    folder.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(folder / "heard.sqlite", timeout=60)
    database.execute(_TABLE)
    return database


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
