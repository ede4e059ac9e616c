"""``python -m benchmarks.encoder_speed --music FOLDER``: what ``mgc predict`` costs beside the bare
forward pass of a pretrained encoder.

Clips per second of the ready-made model musicnn-msd on two cores; and, in one process with one
thread, its time against decoding the same files and running the network on patches that are ready:
wall, and processor time, which a busy machine changes less. The cases take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import mgc
from mgc.audio.decoding import decode
from mgc.prediction import ready_models

PATCHES = 10  # of 3 s in a clip of 30 s


def seconds(work: Callable[[], object]) -> np.ndarray:
    """Wall and processor time (of this process) of a call."""
    began = time.perf_counter(), time.process_time()
    work()
    return np.subtract((time.perf_counter(), time.process_time()), began)


def main() -> None:
    """Measure, print."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.encoder_speed", description=__doc__)
    asked.add_argument("--music", type=Path, required=True, help="a folder of clips of 30 s")
    asked.add_argument("--files", type=int, default=32)
    asked.add_argument("--turns", type=int, default=3)
    given = asked.parse_args()
    torch.set_num_threads(1)
    from mgc_musicnn import weights
    from mgc_musicnn.musicnn import PATCH
    from mgc_musicnn.network import BANDS

    network = weights.load("msd")
    patch = torch.rand(1, PATCH, BANDS)
    paths = sorted(given.music.rglob("*.*"))[: given.files]
    run = ready_models.find("musicnn-msd")
    assert run is not None
    model = mgc.Model(run)
    list(model.predict_many(paths[:2], 1))  # everything is loaded

    @torch.inference_mode()
    def bare() -> None:
        for path in paths:
            decode(path, 16_000)
            for _ in range(PATCHES):
                network.penultimate(patch)

    both = seconds(lambda: list(model.predict_many(paths, 2)))[0]
    cases = (lambda: list(model.predict_many(paths, 1)), bare)
    turns = np.array([[seconds(case) for case in cases] for _ in range(given.turns)])
    wall, processor = np.median(turns[:, 0] / turns[:, 1], axis=0)
    print(f"{len(paths) / both:.2f} clips/s with two workers")
    print(f"{wall:.2f} × decoding and the bare forward pass ({processor:.2f} × processor time)")


if __name__ == "__main__":
    main()
