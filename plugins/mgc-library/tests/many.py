"""What many small files cost: ``python -m tests.many [FILES]``, in the folder of the package.

It makes FILES files (10,000) of 1.5 seconds, tags them with ``mgc tag --write`` by a logistic run
on mfcc, undoes it, and prints files per second, seconds of processor (those of decoding are
measured by decoding some of the files by themselves), and the largest memory of a process.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import library

SOUNDS, SECONDS, SAMPLE = 400, 1.5, 400
KINDS = ("bare.mp3", "v24.mp3", "a.flac", "a.m4a")


def make(folder: Path, files: int) -> list[Path]:
    """So many files; sounds repeat after `SOUNDS`."""
    made: list[Path] = []
    for number in range(files):
        genre, kind = ("calm", "harsh")[number % 2], KINDS[number // 2 % len(KINDS)]
        path = folder / genre / f"{number}-{kind}"
        if number < SOUNDS:
            library.write(path, library.sound(genre, number, SECONDS))
        else:
            shutil.copy(made[number % SOUNDS], path)
        made.append(path)
    return made


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(*words: str) -> tuple[float, float]:
    """Seconds by the clock and of processor that ``mgc`` takes."""
    start, before = time.monotonic(), _processor()
    subprocess.run([sys.executable, "-m", "mgc", *words], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start, _processor() - before


def decoding(paths: list[Path]) -> float:
    """Seconds of processor per file that decoding takes."""
    from mgc.audio import decoding

    for path in paths[:10]:
        decoding.excerpts(path, lambda _: [0.0], SECONDS)
    start = time.process_time()
    for path in paths:
        decoding.excerpts(path, lambda _: [0.0], SECONDS)
    return (time.process_time() - start) / len(paths)


def main(files: int = 10_000) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["MGC_HOME"] = f"{name}/home"
        import mgc

        made = make(Path(name, "lib"), files)
        for path in made[:80]:
            (Path(name, "few") / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, Path(name, "few") / path.parent.name)
        mgc.datasets.add("two", Path(name, "few"))
        run = mgc.fit("two", "mfcc", "logistic").name
        options = ["--run", run, "--unknown", "0", "--at-least", "0", "--json"]
        for words in (["tag", *options, f"{name}/lib"], ["tag", *options, "--write", f"{name}/lib"],
                      ["tag", "--undo"]):  # fmt: skip
            clock, processor = timed(*words)
            what = " ".join({"--write", "--undo"} & {*words}) or "dry run"
            spent = f"{files / clock:.0f} files/s, {processor / files * 1e3:.1f} ms of processor"
            print(f"{what}: {spent} per file", flush=True)
        print(f"decoding: {decoding(made[:SAMPLE]) * 1e3:.1f} ms of processor per file")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"largest memory of a process: {peak:.0f} MiB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
