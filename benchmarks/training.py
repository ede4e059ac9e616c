"""An epoch of the default network from the store, and a prediction from an mp3."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.timing import Row, Section
from mgc.progress import Silent

TRACKS, GENRES, SHAPE = 512, 8, (128, 1_292)
EPOCHS = 4
TEXT = (
    "`cnn` on 448 tracks of log-mel (128 × 1,292, float16, one clip a track), read from the store; "
    "validation included. Then one mp3 of 30 s from file to probabilities with that head."
)


class _Epochs(Silent):
    def __init__(self) -> None:
        self.moments = [time.perf_counter()]

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.moments.append(time.perf_counter())


def measure(paths: list[Path], scratch: Path, turns: int) -> Section:
    """Epochs after the first, and predictions after the first."""
    import torch

    from mgc.extraction import features_of
    from mgc.sources import Source
    from mgc.training import HeadSpec, fit_head

    torch.set_num_threads(os.cpu_count() or 1)
    os.environ["MGC_HOME"] = str(scratch / "training")
    source = Source("mel")
    rows = []
    epochs = _Epochs()
    numbers = np.arange(TRACKS)
    head = fit_head(
        HeadSpec("cnn", training_settings={"epochs": EPOCHS}),
        _data(source),
        numbers[:448],
        numbers[448:],
        seed=0,
        folder=scratch / "head",
        device="cpu",
        progress=epochs,
    )
    seconds = np.diff(epochs.moments)[1:]
    rows.append(Row("epoch", median(seconds), "s", min(seconds), max(seconds)))
    rows.append(Row("clips trained on", 448 / median(seconds), "clips/s"))
    took = []
    for path in [paths[0], *paths[:turns]]:
        begun = time.perf_counter()
        head.predict([features_of(path, [source])["mel"]])
        took.append(1e3 * (time.perf_counter() - begun))
    rows.append(Row("prediction of one mp3", median(took[1:]), "ms", min(took[1:]), max(took[1:])))
    return Section("Training and prediction", TEXT, rows, {"threads": torch.get_num_threads()})


def _data(source: Any) -> Any:
    """Made-up features in a real store."""
    from mgc.fitting.prepared import StoredFeatures
    from mgc.training import TrackData

    rng = np.random.default_rng(0)
    labels = np.arange(TRACKS) % GENRES
    tones = rng.standard_normal((GENRES, SHAPE[0], 1))
    keys = [f"{number:064x}" for number in range(TRACKS)]
    for start in range(0, TRACKS, 32):
        shard = {
            keys[n]: [(10 * rng.standard_normal(SHAPE) + tones[labels[n]] - 40).astype(np.float16)]
            for n in range(start, start + 32)
        }
        source.store.write_shard(shard)
    features = StoredFeatures(source, keys)
    return TrackData("sequence", features, labels.astype(np.int64), np.arange(TRACKS), GENRES)
