"""``python -m benchmarks``: measure, print the tables, write the results as JSON."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.timing import Section

# One thread a process, as mgc's workers have; read when the libraries are loaded.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

PARTS = (
    *("cluster_share", "extraction", "identity", "jobs", "lyrics", "peers", "refusals"),
    *("scale_store", "scaling", "start", "store", "training", "whisper"),
)


def main() -> None:
    """Measure what was asked for."""
    asked = _arguments()
    from benchmarks import music, report

    facts = report.machine()
    sections: list[Section] = []
    results = Path(asked.results)
    results.mkdir(parents=True, exist_ok=True)
    target = results / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    with tempfile.TemporaryDirectory(prefix="mgc-bench-") as folder:
        scratch = Path(folder)
        if asked.music:
            paths = music.found(asked.music, asked.files)
        else:
            paths = music.synthesised(scratch / "music", asked.files)
        for part in asked.only or PARTS:
            print(f"measuring {part} …", flush=True)
            sections.append(_measure(part, paths, scratch, asked))
            target.write_text(report.as_json(facts, sections))  # what is measured stays
    tables = report.as_markdown(facts, sections)
    print(f"\n{tables}\nWritten: {target}")
    if asked.page:
        report.write_into(asked.page, tables)


def _measure(part: str, paths: list[Path], scratch: Path, asked: argparse.Namespace) -> Section:
    from benchmarks import (
        cluster_share,
        extraction,
        identity,
        jobs,
        lyrics,
        peers,
        refusals,
        scale_store,
        scaling,
        start,
        store,
        training,
        whisper,
    )

    turns = asked.turns
    if part == "cluster_share":
        return cluster_share.measure(paths, scratch, files=24 * len(paths))
    if part == "extraction":
        return extraction.measure(paths, turns)
    if part == "identity":
        return identity.measure(paths, turns)
    if part == "jobs":
        return jobs.measure(scratch, turns)
    if part == "lyrics":
        return lyrics.measure(paths, turns)
    if part == "peers":
        return peers.measure(paths, scratch, files=24 * len(paths), turns=turns)
    if part == "refusals":
        return refusals.measure(scratch, 4 * turns)
    if part == "scale_store":
        return scale_store.measure(scratch, turns, asked.most)
    if part == "scaling":
        return scaling.measure(paths, scratch, 24 * len(paths), turns, asked.device)
    if part == "start":
        return start.measure(scratch, 3 * turns)
    if part == "store":
        return store.measure(scratch, turns)
    if part == "whisper":
        return whisper.measure(scratch, turns, asked.device)
    return training.measure(paths, scratch, turns, asked.device)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="measure these parts alone")
    parser.add_argument("--music", type=Path, help="a folder of 44.1 kHz stereo mp3s")
    parser.add_argument("--files", type=int, default=8, help="so many of them (default 8)")
    parser.add_argument(
        "--most", type=int, default=100_000, help="tracks of the largest store (default 100,000)"
    )
    parser.add_argument("--turns", type=int, default=5, help="how often each case runs (default 5)")
    parser.add_argument(
        "--device", default="auto", help="of scaling, training and Whisper (default auto)"
    )
    parser.add_argument("--results", default="bench-results", help="folder for the JSON")
    parser.add_argument("--page", type=Path, help="also put the tables into this page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
