"""Folds side by side against one after the other, and two commands at once against one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from benchmarks.timing import Row, Section

TRACKS, GENRES, FOLDS, SHAPE = 1_200, 8, 5, (128, 1_292)
EPOCHS = 12
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
TEXT = (
    f"`mgc fit --folds {FOLDS}` on {TRACKS:,} made-up log-mel sequences "
    f"({SHAPE[0]} × {SHAPE[1]}), whole commands, in turns: with `--jobs 2`, one after the other "
    "with all cores (the default), and with one thread (`--jobs 1`). Five folds of one head on two "
    "processes take three rounds, so 1.67 is the most that one head alone can gain over one "
    "thread. Then two commands started together against one, by the time of the slower one."
)
HEADS = {"cnn": ["cnn"], "logistic": ["logistic"], "cnn and logistic": ["cnn", "logistic"]}


def measure(scratch: Path, turns: int) -> Section:
    """Needs a machine with nothing else to do; the load before each turn is in the facts."""
    os.environ["MGC_HOME"] = str(scratch / "jobs")
    prepare(scratch)
    rows, loads = [], []
    for name, heads in HEADS.items():
        took: dict[str, list[float]] = {}
        for _ in range(turns):
            loads.append(os.getloadavg()[0])
            for jobs in ("", "1", "2"):
                took.setdefault(jobs, []).append(_fits([_words(heads, FOLDS, jobs)]))
        pairs = {"all cores": "", "--jobs 1": "1", "--jobs 2": "2"}
        rows += [
            _row(f"{name}: {case}", took[jobs], took["2"], "--jobs 2")
            for case, jobs in pairs.items()
        ]
    alone, both = [], []
    for _ in range(turns):
        loads.append(os.getloadavg()[0])
        words = _words(["cnn"], 0, "")
        alone.append(_fits([words]))
        both.append(_fits([words, words]))
    rows += [
        _row("one fit of cnn", alone, alone, "one fit"),
        _row("two at once", both, alone, "one fit"),
    ]
    return Section("Folds side by side", TEXT, rows, {"turns": turns, "load": loads})


def prepare(scratch: Path) -> None:
    """A dataset of short noises, with all features that a fit needs in the store; those of mel are
    as long as a real clip's."""
    from mgc.audio.sound_hash import sound_hash
    from mgc.audio.sound_length import HEARING_REVISION
    from mgc.datasets.importers import importing
    from mgc.features.extraction import extract
    from mgc.features.extractor_spec import ExtractorSpec
    from mgc.features.store import Origin

    store, rng = ExtractorSpec("mel").store, np.random.default_rng(0)
    tones = rng.standard_normal((GENRES, SHAPE[0], 1))
    made: dict[str, list[np.ndarray]] = {}
    for n in range(TRACKS):
        path = scratch / "noises" / f"genre-{n % GENRES}" / f"artist-{n // 16}" / f"{n}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal(22_050), 22_050)
        clip = 10 * rng.standard_normal(SHAPE, np.float32) + tones[n % GENRES] - 40
        made[sound_hash(path)] = [clip.astype(np.float16)]
        if len(made) == 32 or n == TRACKS - 1:
            store.write_shard(made, dict.fromkeys(made, Origin(HEARING_REVISION)))
            made = {}
    added = importing.add_path("noises", scratch / "noises", group_by=None, seed=0, drop_rare=False)
    extract(added.paths(), [ExtractorSpec("mel").texture])  # else the first command would make it


def _words(heads: Sequence[str], folds: int, jobs: str) -> list[str]:
    words = ["fit", "-e", "mel", "--folds", str(folds), "--device", "cpu"]
    words += [word for head in heads for word in ("--head", head)]
    settings = {"epochs": EPOCHS, "patience": 0} if "cnn" in heads else {}
    words += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    return [*words, *(["--jobs", jobs] if jobs else [])]


def _fits(commands: Sequence[Sequence[str]]) -> float:
    """Seconds until the last of these commands, started together, has ended."""
    plain = {name: value for name, value in os.environ.items() if name not in THREADS}
    begun = time.perf_counter()
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "mgc", *words], env=plain, stdout=subprocess.DEVNULL
        )
        for words in commands
    ]
    codes = [process.wait() for process in started]
    if any(codes):
        raise RuntimeError(f"mgc {' '.join(commands[0])} failed")
    return time.perf_counter() - begun


def _row(name: str, took: Sequence[float], against: Sequence[float], other: str) -> Row:
    ratio = median(one / two for one, two in zip(took, against, strict=True))
    return Row(name, median(took), "s", min(took), max(took), ratio, other)
