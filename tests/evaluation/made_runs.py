"""Finished runs with made-up predictions, for what looks at runs: figures, reports, choices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mgc import runs
from mgc.runs import PREFIX, Run, metrics
from mgc.training.tracking import write_history

GENRES = ("folk", "jazz", "metal")


def made_run(
    extractor: str = "mel",
    *,
    head: str = "logistic",
    tracks: int = 60,
    genres: Sequence[str] = GENRES,
    folds: int = 3,
    skill: float = 1.5,
    dimensions: int = 12,
    titles: Sequence[str] | None = None,
    artists: Sequence[str] | None = None,
    paths: Sequence[Path] | None = None,
    epochs: int = 0,
    seed: int = 0,
    dataset: str = "made-up",
) -> Run:
    """A run whose answers are better the larger ``skill`` is; the same tracks for every call."""
    names = [f"t{i:05d}" for i in range(tracks)]
    about = pd.DataFrame(
        {
            "track_id": names,
            "genre": [genres[i % len(genres)] for i in range(tracks)],
            "artist": list(artists or [f"artist {i // 4}" for i in range(tracks)]),
            "title": list(titles or [f"Song {i}" for i in range(tracks)]),
            "path": [str(path) for path in paths or [Path(f"/gone/{n}.wav") for n in names]],
            "group": np.arange(tracks) // 4,
        }
    )
    rng = np.random.default_rng([seed, *extractor.encode()])
    truth = np.arange(tracks) % len(genres)
    space = rng.normal(size=(len(genres), dimensions))
    vectors = skill * space[truth] + rng.normal(size=(tracks, dimensions))
    tables, embeddings = [], []
    for fold in range(max(folds, 1)):
        part = _parts(tracks, folds, fold)
        logits = skill * np.eye(len(genres))[truth] + rng.normal(size=(tracks, len(genres)))
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        columns = pd.DataFrame(shares, columns=[PREFIX + genre for genre in genres])
        tables.append(pd.concat([about.assign(fold=fold, part=part), columns], axis=1))
        turn, _ = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))
        embeddings.append(vectors @ turn if folds else vectors)
    record = _record(extractor, head, genres, tracks, folds, seed, dataset)
    run = runs.start(f"{dataset}-{extractor}-{head}", record)
    for fold in range(max(folds, 1)):
        folder = run.folder / f"fold-{fold}"
        folder.mkdir()
        if epochs:
            write_history(folder, [_epoch(number + 1, fold) for number in range(epochs)])
    predictions = pd.concat(tables, ignore_index=True)
    return runs.finish(run, predictions, np.concatenate(embeddings), _results(run, predictions))


def _parts(tracks: int, folds: int, fold: int) -> np.ndarray:
    """With folds every group of four is tested once; without, nearly all tracks are tested."""
    group = np.arange(tracks) // 4
    if not folds:
        return np.where(group == 0, "training", np.where(group == 1, "validation", "test"))
    rest = np.where((group // folds) % 4 == 3, "validation", "training")
    return np.where(group % folds == fold, "test", rest)


def _epoch(number: int, fold: int) -> dict[str, Any]:
    return {
        "epoch": number,
        "train_loss": 1 / number,
        "validation_loss": 1.2 / number + 0.1 * fold,
        "validation_accuracy": 1 - 0.6 / number,
        "validation_f1": 1 - 0.7 / number,
        "learning_rate": 1e-3,
        "seconds": 0.1,
    }


def _record(
    extractor: str, head: str, genres: Sequence[str], tracks: int, folds: int, seed: int, name: str
) -> dict[str, Any]:
    return {
        "kind": "single",
        "command": ["mgc", "fit", "--extractor", extractor],
        "dataset": {
            "name": name, "genres": list(genres), "tracks": tracks, "folds": folds,
            "group_by": "artist", "split": f"split-{seed}", "left_out": {},
        },
        "extractor": {
            "name": extractor, "distribution": "mgc", "version": "0", "settings": {},
            "identity": {"params": {"n_mels": 128}}, "fingerprint": "f" * 64,
        },
        "head": {"name": head, "params": {"C": 1.0}, "training": None},
        "seed": seed,
        "device": "cpu",
        "failures": [],
    }  # fmt: skip


def _results(run: Run, predictions: pd.DataFrame) -> dict[str, Any]:
    figures = {}
    for part in ("validation", "test"):
        rows = predictions[predictions["part"] == part]
        figures[part] = metrics.summary(run.truth(rows), run.probabilities(rows), run.genres)
    return {"metrics": figures, "seconds": 1.0}
