"""``python -m benchmarks.versions OLD NEW``: what extraction costs in two versions of mgc.

OLD and NEW are Python interpreters with a version of mgc each, or folders with its source, which
are read with this interpreter. Both extract mel, MFCC and chroma of every file, one right after
the other, first the one, then the other. Printed are the ratio of processor time over all files,
its 95 % interval (bootstrap over files), and how many files' features are not the same bits.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.music import converted, synthesised

CHILD = """
import hashlib, sys, time
import torch
torch.set_num_threads(1)
try:
    from mgc.features.extraction import features_of
    from mgc.features.extractor_spec import ExtractorSpec as Source
except ImportError:  # 0.1.0
    from mgc.extraction.features import features_of
    from mgc.sources import Source
from pathlib import Path
sources = [Source(name) for name in ("mel", "mfcc", "chroma")]
for line in sys.stdin:
    begin = time.process_time()
    made = features_of(Path(line.rstrip()), sources)
    spent = time.process_time() - begin
    digest = hashlib.sha256(b"".join(a.tobytes() for rows in made.values() for a in rows))
    print(spent, digest.hexdigest(), flush=True)
"""
SONGS = 8  # different ones; the files are their copies
KINDS = (".flac", ".ogg")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--music", type=Path, help="a folder of mp3, flac and ogg files")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mgc-bench-") as folder:
        songs = _below(asked.music) if asked.music else list(_songs(Path(folder)))
        paths = [songs[number % len(songs)] for number in range(asked.files)]
        times, different = _compared(_started(asked.old), _started(asked.new), paths)
    kinds = np.array([path.suffix for path in paths])
    for kind in [*sorted(set(kinds)), ""]:
        print(_line(kind or "all", times[:, [one.endswith(kind) for one in kinds]]))
    print(f"{different} of {len(paths)} files have other features")


def _below(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.*")) if path.suffix in {".mp3", *KINDS}]


def _songs(folder: Path) -> Iterator[Path]:
    for mp3 in synthesised(folder, SONGS):
        yield mp3
        for suffix in KINDS:
            yield converted(mp3, mp3.with_suffix(suffix))


def _started(version: Path) -> subprocess.Popen[str]:
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if version.is_dir():
        own["PYTHONPATH"] = str(version.resolve())
    python = sys.executable if version.is_dir() else str(version.absolute())
    pipe = subprocess.PIPE
    # Started elsewhere: "-c" puts the present folder before all others.
    return subprocess.Popen(
        [python, "-c", CHILD],
        stdin=pipe,
        stdout=pipe,
        text=True,
        env=own,
        cwd=tempfile.gettempdir(),
    )


def _compared(
    old: subprocess.Popen[str], new: subprocess.Popen[str], paths: list[Path]
) -> tuple[np.ndarray, int]:
    """Processor seconds (version, file), and how many files differ in their features."""
    times, different = np.zeros((2, len(paths))), 0
    for _ in range(2):
        _made(old, paths[0])
        _made(new, paths[0])
    for number, path in enumerate(paths):
        order = [(0, old), (1, new)]
        digests = set()
        for place, version in order if number % 2 else order[::-1]:
            times[place, number], digest = _made(version, path)
            digests.add(digest)
        different += len(digests) - 1
    for version in (old, new):
        version.communicate()
    return times, different


def _made(version: subprocess.Popen[str], path: Path) -> tuple[float, str]:
    if version.stdin is None or version.stdout is None:
        raise ValueError("the process has no pipes")
    version.stdin.write(f"{path.absolute()}\n")
    version.stdin.flush()
    seconds, digest = version.stdout.readline().split()
    return float(seconds), digest


def _line(name: str, times: np.ndarray) -> str:
    drawn = np.random.default_rng(0).integers(0, times.shape[1], (2_000, times.shape[1]))
    old, new = times[:, drawn].sum(axis=2)
    low, high = np.quantile(new / old, [0.025, 0.975])
    mean = 1e3 * times.mean(axis=1)
    ratio = times[1].sum() / times[0].sum()
    return f"{name}: {mean[0]:.2f} → {mean[1]:.2f} ms, ratio {ratio:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
