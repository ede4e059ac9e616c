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


def measure(
    paths: list[Path], scratch: Path, files: int, turns: int, wanted: str = "cpu"
) -> Section:
    """Runs with other numbers of workers take turns; with a GPU, also one whose workers decode and
    whose features are made there."""
    from mgc.audio.processes.pool import cores
    from mgc.training.devices import resolve_device

    music = multiplied(paths, scratch / "many", files)
    gpu = resolve_device(wanted)
    cases = {
        f"{n} worker{'s' * (n > 1)}": (n, "cpu") for n in sorted({1, min(2, cores()), cores()})
    }
    if gpu.type != "cpu":
        cases[f"{cores()} workers that decode, features on {gpu}"] = cores(), str(gpu)
    rates: dict[str, list[float]] = {case: [] for case in cases}
    starts = []
    for turn in range(turns):
        for number, (case, (count, device)) in enumerate(cases.items()):
            clock = _extract(music, scratch / f"home-{turn}-{number}", count, device)
            rates[case].append(clock.rate())
            if count > 1 and device == "cpu":
                starts.append(clock.moments[0] - clock.begun)
    rows = [
        Row(
            case,
            median(mine),
            "files/s",
            min(mine),
            max(mine),
            median(one / other for one, other in zip(mine, rates["1 worker"], strict=True)),
            "1 worker",
        )
        for case, mine in rates.items()
    ]
    if starts:
        rows.append(Row("start of the workers", median(starts), "s", min(starts), max(starts)))
    return Section("Extraction on all cores", TEXT, rows, {"files": files, "turns": turns})


def _extract(music: list[Path], home: Path, count: int, device: str) -> _Clock:
    from mgc.features.extraction import extract
    from mgc.features.extractor_spec import ExtractorSpec

    os.environ["MGC_HOME"] = str(home)
    sources = [ExtractorSpec(name, device=device) for name in ("mel", "mfcc", "chroma")]
    clock = _Clock()
    extract(music, sources, clock, workers=count)
    return clock
