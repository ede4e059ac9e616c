"""Epochs of the default network on a set of FMA-small's size, and a prediction from an mp3."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.timing import Row, Section
from mgc.plugins.contract import FeatureShape
from mgc.progress import Silent
from mgc.training.classifier import EVALUATION_BATCH, Classifier, fit_normalisation
from mgc.training.devices import precision_of, resolve_device
from mgc.training.fit import fit_head
from mgc.training.head_spec import HeadSpec
from mgc.training.track_data import TrackData

TRACKS, VALIDATION, GENRES, SHAPE = 6_400, 800, 8, (128, 1_292)  # FMA-small's own split
DIFFERENT = 256  # clips that are made up; the others are these again, which costs the same
EPOCHS = 4
TEXT = (
    "`cnn` on 6,400 tracks of log-mel (128 × 1,292, float16, one clip a track, made up) and 800 to "
    "validate on, as FMA-small has them. Epochs as `mgc fit` runs them, with checkpoint and "
    "history, against the model's own arithmetic: the same number of steps and of forward passes "
    "on a batch that already exists. Then one mp3 of 30 s from file to probabilities."
)


class _Epochs(Silent):
    def __init__(self) -> None:
        self.moments = [time.perf_counter()]

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.moments.append(time.perf_counter())


def measure(paths: list[Path], scratch: Path, turns: int, wanted: str = "auto") -> Section:
    """Epochs after the first, the same arithmetic by itself, and predictions after the first."""
    device = resolve_device(wanted)
    torch.set_num_threads(os.cpu_count() or 1)
    os.environ["MGC_HOME"] = str(scratch / "training")
    spec = HeadSpec("cnn", training_settings={"epochs": EPOCHS, "patience": 0})
    data, epochs = _data(), _Epochs()
    numbers = np.arange(TRACKS + VALIDATION)
    head = fit_head(
        spec,
        data,
        numbers[:TRACKS],
        numbers[TRACKS:],
        seed=0,
        folder=scratch / "head",
        device=str(device),
        progress=epochs,
    )
    seconds = np.diff(epochs.moments)[1:]
    alone = _Arithmetic(spec, data, device).epochs(EPOCHS - 1)
    rest = 100 * (1 - median(alone) / median(seconds))
    rows = [
        Row("epoch", median(seconds), "s", min(seconds), max(seconds)),
        Row("the model's own arithmetic", median(alone), "s", min(alone), max(alone)),
        Row("everything else", rest, "%", note="of an epoch"),
        Row("clips trained on", TRACKS / median(seconds), "clips/s"),
        _prediction(head, paths, turns),
    ]
    facts = {"device": _name(device), "precision": precision_of("auto", device)}
    return Section("Training and prediction", f"{TEXT} On: {facts['device']}.", rows, facts)


class _Arithmetic:
    """The steps of an epoch with nothing around them."""

    def __init__(self, spec: HeadSpec, data: TrackData, device: torch.device) -> None:
        self.training, self.device = spec.training, device
        clips = [data.features[track][0] for track in range(DIFFERENT)]
        normalisation = fit_normalisation("sequence", clips, whiten=True)
        shape = FeatureShape("sequence", len(normalisation.basis))
        head = spec.implementation(spec.params, shape, GENRES)
        self.model = Classifier(head, normalisation).to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), fused=device.type == "cuda")
        self.bf16 = precision_of("auto", device) == "bf16"

    def epochs(self, count: int) -> list[float]:
        """Seconds of so many epochs, after one that does not count."""
        windows = -(-SHAPE[1] // self.training.crop_frames) * VALIDATION
        steps = -(-TRACKS // self.training.batch_size)
        step = self._step(self._batch(self.training.batch_size))
        forward = self._forward(self._batch(EVALUATION_BATCH))
        seconds = []
        for _ in range(count + 1):
            self._wait()
            begun = time.perf_counter()
            for _ in range(steps):
                step()
            for _ in range(-(-windows // EVALUATION_BATCH)):
                forward()
            self._wait()
            seconds.append(time.perf_counter() - begun)
        return seconds[1:]

    def _batch(self, size: int) -> torch.Tensor:
        frames = self.training.crop_frames
        return torch.randn(size, SHAPE[0], frames, device=self.device, dtype=torch.float16)

    def _step(self, batch: torch.Tensor) -> Callable[[], None]:
        genres = torch.arange(len(batch), device=self.device) % GENRES
        lengths = torch.full((len(batch),), batch.shape[2], device=self.device)

        def run() -> None:
            self.model.train()
            with self._autocast():
                logits, _ = self.model(self.model.normalise(batch), lengths)
            nn.functional.cross_entropy(logits.float(), genres).backward()
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)

        return run

    def _forward(self, batch: torch.Tensor) -> Callable[[], None]:
        lengths = torch.full((len(batch),), batch.shape[2], device=self.device)

        def run() -> None:
            self.model.eval()
            with torch.no_grad(), self._autocast():
                self.model(self.model.normalise(batch), lengths)

        return run

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _prediction(head: Any, paths: list[Path], turns: int) -> Row:
    from mgc.features.extraction import features_of
    from mgc.features.extractor_spec import ExtractorSpec

    source, took = ExtractorSpec("mel"), []
    for path in [paths[0], *paths[:turns]]:
        begun = time.perf_counter()
        head.predict([features_of(path, [source])["mel"]])
        took.append(1e3 * (time.perf_counter() - begun))
    return Row("prediction of one mp3", median(took[1:]), "ms", min(took[1:]), max(took[1:]))


def _data() -> TrackData:
    rng = np.random.default_rng(0)
    labels = np.arange(TRACKS + VALIDATION) % GENRES
    tones = rng.standard_normal((GENRES, SHAPE[0], 1))
    clips = [
        (10 * rng.standard_normal(SHAPE, np.float32) + tones[n % GENRES] - 40).astype(np.float16)
        for n in range(DIFFERENT)
    ]
    features = [[clips[n % DIFFERENT]] for n in range(len(labels))]
    groups = np.arange(len(labels))
    return TrackData("sequence", features, labels.astype(np.int64), groups, GENRES)


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"
