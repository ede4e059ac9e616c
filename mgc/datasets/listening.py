"""Hears a file once, whole, and notes all that a check or an audit asks: level, length, identity.

What was heard is kept in one SQLite file at home, by path, size and time of change: a check that
was stopped goes on where it was, and an audit after a check decodes nothing.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from mgc import audio
from mgc.datasets import fingerprint
from mgc.errors import AudioError
from mgc.home import home
from mgc.progress import Progress, Silent

REVISION = 1  # raise it when anything below gives other values: all files are heard again
#: A sample this near to the loudest one (or to full scale) is at the ceiling.
CEILING = 0.995
KEPT_AT_ONCE = 32  # files; a kill loses no more than these

_TABLE = (
    "CREATE TABLE IF NOT EXISTS heard (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER,"
    " revision TEXT, facts TEXT, codes BLOB)"
)


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
        samples: a hash of the decoded mono samples and their rate.
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
    codes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint32), compare=False)


def listen(path: Path) -> Heard:
    """Decode a file and measure it. What is wrong with it is in the result, never raised."""
    try:
        header = audio.probe(path)
        wave, rate = audio.decode(path)
    except AudioError as error:
        return Heard(problem=error.message.removeprefix(f"{path}: "))
    except (MemoryError, ValueError, RuntimeError) as error:
        return Heard(problem=f"the decoder failed ({error}).")
    magnitude = np.abs(wave)
    peak = float(magnitude.max())
    return Heard(
        rate=rate,
        channels=header.channels,
        seconds=len(wave) / rate,
        peak=peak,
        loudest=_loudest_second(wave, rate),
        ceiling=float(np.mean(magnitude >= CEILING * min(peak, 1.0))) if peak else 0.0,
        samples=hashlib.blake2b(wave.tobytes() + str(rate).encode(), digest_size=16).hexdigest(),
        codes=fingerprint.codes(wave, rate),
    )


def _loudest_second(wave: np.ndarray, rate: int) -> float:
    starts = range(0, max(1, len(wave) - rate // 2), rate)
    energies = [np.mean(np.square(wave[start : start + rate])) for start in starts]
    return float(np.sqrt(max(energies)))


def hear(
    paths: Sequence[Path], *, workers: int = 0, progress: Progress | None = None
) -> dict[Path, Heard]:
    """What each file holds; those heard before and unchanged are not decoded again.

    Args:
        paths: the files; one that is missing is no error here, see `Heard.problem`.
        workers: processes; 0 takes one for each core.
        progress: told of files.
    """
    from mgc.datasets.workers import each

    found = recall(paths)
    todo = [path for path in paths if path not in found]
    if not todo:
        return found
    new: dict[Path, Heard] = {}
    with (progress or Silent()).task("listening", len(todo), "tracks") as task:
        try:
            for path, heard in each(listen, todo, workers, _crashed):
                found[path] = new[path] = heard
                if len(new) >= KEPT_AT_ONCE:
                    remember(new)
                    new.clear()
                task.advance()
        finally:
            remember(new)
    return found


def _crashed(path: Path) -> Heard:
    return Heard(problem="the decoder crashed on it.")


def recall(paths: Iterable[Path]) -> dict[Path, Heard]:
    """What was heard of those files that have not changed since."""
    with closing(_open()) as database:
        found = {}
        for path in paths:
            stamp = _stamp(path)
            row = database.execute("SELECT * FROM heard WHERE path = ?", [str(path)]).fetchone()
            if stamp and row and row[1:4] == (*stamp, _revision()):
                found[path] = Heard(**json.loads(row[4]), codes=np.frombuffer(row[5], "<u4"))
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
