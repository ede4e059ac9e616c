"""A whole extraction, files to store, with one worker and with all cores."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.music import multiplied
from benchmarks.timing import Row, Section
from mgc.progress import Silent

TEXT = (
    "`mgc features extract mel mfcc chroma` as a function: files hashed, decoded, extracted, put "
    "into shards and synced. Files a second between the tenth part and the end of a run, so "
    "without the start of the workers, which has a line of its own. One worker is this process."
)


class _Clock(Silent):
    """Notes when each file was done."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    @contextmanager
    def task(self, what: str, total: int | None, unit: str) -> Iterator[_Clock]:
        self.begun = time.perf_counter()
        yield self
        self.ended = time.perf_counter()

    def advance(self, count: int = 1) -> None:
        self.moments.append(time.perf_counter())

    def rate(self) -> float:
        """Files a second after the first tenth."""
        first = len(self.moments) // 10
        return (len(self.moments) - first) / (self.ended - self.moments[first])


def measure(paths: list[Path], scratch: Path, files: int, turns: int) -> Section:
    """Runs with other numbers of workers take turns."""
    from mgc.audio.processes.pool import cores

    music = multiplied(paths, scratch / "many", files)
    counts = sorted({1, 2, cores()} - {n for n in (1, 2) if n > cores()})
    rates: dict[int, list[float]] = {count: [] for count in counts}
    starts = []
    for turn in range(turns):
        for count in counts:
            clock = _extract(music, scratch / f"home-{turn}-{count}", count)
            rates[count].append(clock.rate())
            if count > 1:
                starts.append(clock.moments[0] - clock.begun)
    rows = [
        Row(
            f"{count} worker{'s' if count > 1 else ''}",
            median(rates[count]),
            "files/s",
            min(rates[count]),
            max(rates[count]),
            median(one / other for one, other in zip(rates[count], rates[1], strict=True)),
            "1 worker",
        )
        for count in counts
    ]
    if starts:
        rows.append(Row("start of the workers", median(starts), "s", min(starts), max(starts)))
    return Section("Extraction on all cores", TEXT, rows, {"files": files, "turns": turns})


def _extract(music: list[Path], home: Path, count: int) -> _Clock:
    from mgc.features.extraction import extract
    from mgc.features.extractor_spec import ExtractorSpec

    os.environ["MGC_HOME"] = str(home)
    sources = [ExtractorSpec(name) for name in ("mel", "mfcc", "chroma")]
    clock = _Clock()
    extract(music, sources, clock, workers=count)
    return clock
