"""What it costs to know a file by its sound: its hash by format, and what a library costs again."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.music import KINDS, converted
from benchmarks.timing import Row, Section, in_turns, row

FILES = 20_000
TEXT = (
    "Milliseconds of one file of 30 s in the page cache: the hash of its encoded sound, without "
    "tags, against that of all its bytes (SHA-256) and against decoding. Then a library of "
    "{files:,} tiny WAV files: what each costs when all have been written to, and when none "
    "has changed, which their sizes and times tell."
)


def measure(paths: list[Path], turns: int) -> Section:
    """Each format in turn, on the same music."""
    import soundfile

    from mgc.audio.decoding import content_hash
    from mgc.audio.sound_hash import sound_hash

    def decoded(path: Path) -> object:
        return soundfile.read(path, dtype="float32")

    rows = []
    with tempfile.TemporaryDirectory(prefix="mgc-bench-") as folder:
        for suffix in (".mp3", *KINDS):
            same = paths
            if suffix != ".mp3":
                same = [converted(p, Path(folder, f"{n}{suffix}")) for n, p in enumerate(paths)]
            cases: dict[str, Callable[[Path], object]] = {
                f"decoding, {suffix}": decoded,
                f"all bytes, {suffix}": content_hash,
                f"the sound, {suffix}": sound_hash,
            }
            runs = {
                name: lambda turn, case=case, same=same: case(same[turn % len(same)])
                for name, case in cases.items()
            }
            times = in_turns(runs, turns * len(paths))
            floor = f"decoding, {suffix}"
            rows += [row(times, name, floor, scale=1e3, unit="ms") for name in cases]
    rows += _library(turns)
    return Section("A sound's identity", TEXT.format(files=FILES), rows, {"turns": turns})


def _library(turns: int) -> list[Row]:
    """Small WAV files: what each file costs, not its bytes."""
    import numpy as np
    import soundfile

    from mgc.features import file_hashes

    took: dict[str, list[float]] = {"written to": [], "unchanged": []}
    with tempfile.TemporaryDirectory(prefix="mgc-bench-") as folder:
        os.environ["MGC_HOME"] = str(Path(folder, "home"))
        noise = np.random.default_rng(0).standard_normal((FILES, 32)).astype(np.float32)
        paths = [Path(folder, f"{number}.wav") for number in range(FILES)]
        for path, wave in zip(paths, noise, strict=True):
            soundfile.write(path, wave / 10, 8_000)
        for turn in range(turns):
            for path in paths:
                os.utime(path, (turn, turn))
            for each in took.values():
                begun = time.perf_counter()
                if not all(file_hashes.hashes(paths)):
                    raise RuntimeError("a file has no hash")
                each.append(1e3 * (time.perf_counter() - begun) / FILES)
    return [
        Row(f"a file of the library, {name}", median(each), "ms", min(each), max(each))
        for name, each in took.items()
    ]
