"""Writing features and reading them at random, as training does."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.timing import Row, Section

TRACKS, SHAPE = 1_024, (128, 1_292)
CROP = 256  # frames
TEXT = (
    "1,024 tracks of one clip, 128 × 1,292 float16 (339 MB), in shards of 32. Reading is of "
    "tracks in random order, each copied out of the map; files are in the page cache."
)


def measure(scratch: Path, turns: int) -> Section:
    """Write once a turn, then read all tracks in another order."""
    from mgc.features.store import FeatureStore

    rng = np.random.default_rng(0)
    clip = rng.standard_normal(SHAPE).astype(np.float16)
    keys = [f"{number:064x}" for number in range(TRACKS)]
    written, opened, whole, cropped = [], [], [], []
    for turn in range(turns):
        root = scratch / f"store-{turn}"
        store = FeatureStore("bench", {"turn": turn}, root)
        begun = time.perf_counter()
        for start in range(0, TRACKS, 32):
            store.write_shard({key: [clip] for key in keys[start : start + 32]})
        written.append(TRACKS * clip.nbytes / 1e6 / (time.perf_counter() - begun))
        store.refresh()
        begun = time.perf_counter()
        assert len(store.rows) == TRACKS
        opened.append(1e3 * (time.perf_counter() - begun))
        order = rng.permutation(TRACKS)
        begun = time.perf_counter()
        for number in order:
            np.array(store.read(keys[number])[0])
        whole.append(TRACKS / (time.perf_counter() - begun))
        begun = time.perf_counter()
        for number in order:
            np.array(store.read(keys[number])[0][:, 500 : 500 + CROP])
        cropped.append(TRACKS / (time.perf_counter() - begun))
    figures = {
        "written and synced": (written, "MB/s"),
        "index of all shards read": (opened, "ms"),
        "whole clips at random": (whole, "clips/s"),
        f"crops of {CROP} frames at random": (cropped, "clips/s"),
    }
    rows = [
        Row(name, median(values), unit, min(values), max(values))
        for name, (values, unit) in figures.items()
    ]
    return Section("Feature store", TEXT, rows, {"turns": turns})
