"""How fast the trainer is, and how much of that is the model's own arithmetic.

``python -m benchmarks.training`` trains on made-up features of the size of FMA-small (6,400
tracks of 128 × 1,292, float16, 2.1 GB) and prints JSON: epochs a second, tracks a second, and the
share of an epoch that is not forward, backward and optimiser step on batches that are already
there. ``--tracks`` makes it smaller for a CPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mgc.contract import FeatureShape
from mgc.progress import Silent
from mgc.training import HeadSpec, TrackData, fit_head, resolve_device
from mgc.training.devices import precision_of
from mgc.training.model import Classifier, Normalisation
from mgc.training.scoring import lengths_of

FEATURES, FRAMES, GENRES = 128, 1292, 8
WARM_UP_EPOCHS, EPOCHS = 2, 5
WARM_UP_STEPS = 10


class Seconds(Silent):
    """Keeps how long each epoch took."""

    def __init__(self) -> None:
        self.of_epoch: list[float] = []

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.of_epoch.append(row["seconds"])


def made_up(tracks: int) -> TrackData:
    """Tracks that share a few random clips' worth of values, each at its own offset."""
    rng = np.random.default_rng(0)
    noise = rng.normal(-40, 15, size=(FEATURES, 4 * FRAMES)).astype(np.float16)
    starts = rng.integers(0, 3 * FRAMES, tracks)
    clips = [[noise[:, s : s + FRAMES]] for s in starts]
    return TrackData("sequence", clips, np.arange(tracks) % GENRES, np.arange(tracks), GENRES)


def epoch_seconds(spec: HeadSpec, tracks: int, device: str) -> float:
    """The median epoch of the trainer's own loop, without validation."""
    seconds = Seconds()
    none = np.array([], dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder:
        fit_head(
            spec, made_up(tracks), np.arange(tracks), none,
            seed=0, device=device, folder=Path(folder), progress=seconds,
        )  # fmt: skip
    return float(np.median(seconds.of_epoch[WARM_UP_EPOCHS:]))


def arithmetic_seconds(spec: HeadSpec, steps: int, device: torch.device) -> float:
    """Forward, backward and optimiser step on one batch that is there, ``steps`` times."""
    training = spec.training
    white = training.normalisation == "whitening"
    rows = 40 if white else FEATURES
    size = (training.batch_size, rows, training.crop_frames)
    head = spec.implementation(spec.params, FeatureShape("sequence", rows), GENRES)
    nothing = Normalisation(torch.zeros(1), torch.ones(1), torch.zeros(0, 0))
    model = Classifier(head, nothing).to(device)
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), fused=device.type == "cuda")
    features = torch.randn(size, device=device)
    genres = torch.arange(training.batch_size, device=device) % GENRES
    half = precision_of(training.precision, device) == "bf16"

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits, _ = model(features, lengths_of(features))
        torch.nn.functional.cross_entropy(logits.float(), genres).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    for _ in range(WARM_UP_STEPS):
        step()
    _wait(device)
    began = time.perf_counter()
    for _ in range(steps):
        step()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(head: str, tracks: int, batch: int, device: torch.device) -> dict[str, Any]:
    """Figures of one head."""
    settings = {"epochs": WARM_UP_EPOCHS + EPOCHS, "batch_size": batch}
    spec = HeadSpec(head, {}, settings)
    steps = -(-tracks // batch)
    whole = epoch_seconds(spec, tracks, str(device))
    arithmetic = arithmetic_seconds(spec, steps, device)
    return {
        "head": head,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "precision": precision_of("auto", device),
        "tracks": tracks,
        "batch": batch,
        "epochs_a_second": round(1 / whole, 3),
        "tracks_a_second": round(tracks / whole),
        "share_not_arithmetic": round(1 - arithmetic / whole, 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", nargs="+", default=["cnn", "attention"])
    parser.add_argument("--tracks", type=int, default=6400)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    device = resolve_device(asked.device)
    figures = [measure(head, asked.tracks, asked.batch, device) for head in asked.heads]
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
