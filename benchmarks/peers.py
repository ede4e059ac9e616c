"""Features of many files to disk, and read at random from there: mgc and peers, whole processes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks.music import multiplied
from benchmarks.timing import Row, Section
from benchmarks.whole_process import Cost, cost

FLOOR, OURS, ALL = "decoding alone, in threads", "mgc, mel", "mgc, mel, MFCC and chroma"
PLAIN, LHOTSE, DATASETS = "librosa and numpy.save", "lhotse", "datasets"
#: Case → what it is measured against.
CASES = {FLOOR: "", OURS: FLOOR, ALL: FLOOR, PLAIN: OURS, LHOTSE: OURS, DATASETS: OURS}
COMMANDS = {OURS: ["mel"], ALL: ["mel", "mfcc", "chroma"]}
READS = {"opened": "s", "whole clips": "clips/s", "crops": "clips/s"}
TEXT = (
    "From {files} mp3s of 30 s to log-mel (128 bands, 22.05 kHz) on disk, with a process or thread "
    "for each of {cores} cores: processes from start to end, imports included. lhotse hears "
    "one channel and keeps float32, the others hear both and keep float16. Then another process "
    "opens what was written, and reads each clip ten times in random order, whole and as crops of "
    "256 frames; a ratio says how many times as long it takes. The cases take turns; ratios (of "
    "the clock, of the processor, CPU, and of the most memory at once) are within a turn."
)
Costs = dict[str, list[Cost]]


def measure(paths: list[Path], scratch: Path, files: int, turns: int) -> Section:
    """Every case once a turn, each into a new folder, after one turn that does not count (the first
    use of a library compiles it); peers that are not installed are left out."""
    root = scratch / "peers"
    made = multiplied(paths, root / "music", files)
    music = made[0].parent
    lines = [f"{path},{n % 2}" for n, path in enumerate(made)]
    (root / "music.csv").write_text("\n".join(["path,genre", *lines]) + "\n")
    cases = [case for case in CASES if case not in (LHOTSE, DATASETS) or find_spec(case)]
    written: Costs = {case: [] for case in cases}
    read: Costs = {case: [] for case in cases if case not in (FLOOR, ALL)}
    disk = {}
    for turn in range(turns + 1):
        for case in cases[turn % len(cases) :] + cases[: turn % len(cases)]:
            folder = root / f"{turn}-{cases.index(case)}"
            folder.mkdir(parents=True)
            written[case].append(_written(case, music, folder))
            disk[case] = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6
            if case in read:
                read[case].append(_run("read", case, music, folder))
    for costs in (*written.values(), *read.values()):
        del costs[0]
    rows = [_row(case, written, disk[case]) for case in cases]
    rows += [_read_row(case, figure, read) for figure in READS for case in read]
    facts = {"files": files, "cores": len(os.sched_getaffinity(0)), "turns": turns}
    return Section("Features to disk and back", TEXT.format(**facts), rows, facts)


def _written(case: str, music: Path, folder: Path) -> Cost:
    if case not in COMMANDS:
        return _run("write", case, music, folder)
    mgc = [sys.executable, "-m", "mgc"]
    quiet = os.environ | {"MGC_HOME": str(folder), "COLUMNS": "80"}
    cost([*mgc, "data", "add", "music", f"{music}.csv"], quiet)
    return cost([*mgc, "features", "extract", *COMMANDS[case], "--data", "music"], quiet)


def _run(what: str, case: str, music: Path, folder: Path) -> Cost:
    arguments = f"{case!r}, {str(music)!r}, {str(folder)!r}"
    code = f"from benchmarks import peer_cases; peer_cases.{what}({arguments})"
    places = {"MGC_HOME": str(folder), "HF_HOME": str(folder.with_name("hub"))}
    return cost([sys.executable, "-c", code], os.environ | places)


def _row(case: str, costs: Costs, disk: float) -> Row:
    against = CASES[case]
    pairs = [*zip(costs[case], costs[against or case], strict=True)]

    def ratio(of: Callable[[Cost], float]) -> float:
        return median(of(mine) / of(other) for mine, other in pairs)

    clocks, mine = [c.clock for c in costs[case]], costs[case]
    note = f"CPU {median(c.processor for c in mine):.1f} s"
    note += f" ({ratio(lambda c: c.processor):.2f} ×)" * bool(against)
    note += f", {median(c.peak for c in mine):,.0f} MB"
    note += f" ({ratio(lambda c: c.peak):.2f} ×)" * bool(against)
    note += f"; {disk:,.0f} MB on disk" if disk else ""
    times = ratio(lambda c: c.clock) if against else None
    return Row(case, median(clocks), "s", min(clocks), max(clocks), times, against, note)


def _read_row(case: str, figure: str, costs: Costs) -> Row:
    mine, ours = ([json.loads(c.said)[figure] for c in costs[name]] for name in (case, OURS))
    pairs = [*zip(mine, ours, strict=True)]
    times = median(m / o if figure == "opened" else o / m for m, o in pairs)
    name = f"{figure}, {case}"
    if case == OURS:
        return Row(name, median(mine), READS[figure], min(mine), max(mine))
    return Row(name, median(mine), READS[figure], min(mine), max(mine), times, OURS)
