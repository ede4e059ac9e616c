"""Runs with predictions that a test makes up, as real run folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mgc import runs
from mgc.runs import metrics

GENRES = ("blues", "jazz", "pop", "rock")


@dataclass(frozen=True)
class World:
    """Tracks with a fold, a part, a genre and an artist: what all runs of a test have."""

    table: pd.DataFrame
    genres: Sequence[str] = GENRES
    name: str = "made-up"
    split: str = "s"

    @property
    def truth(self) -> np.ndarray:
        return self.table["genre"].map({g: i for i, g in enumerate(self.genres)}).to_numpy()

    @property
    def folds(self) -> int:
        count = int(self.table["fold"].max()) + 1
        return 0 if count == 1 else count

    def where(self, part: str) -> np.ndarray:
        return (self.table["part"] == part).to_numpy()


def world(tracks: int = 120, artists: int = 40, folds: int = 1, seed: int = 0) -> World:
    """Artists have one genre; with ``folds`` each track is tested in one fold, and in each fold
    a fifth of the other artists is its validation part. One fold: 40 % test, 30 % validation."""
    generator = np.random.default_rng(seed)
    artist = np.arange(tracks) % artists
    genre = artist % len(GENRES)
    order = generator.permutation(artists)
    tables = []
    for fold in range(folds):
        tested = order % folds == fold if folds > 1 else order % 10 < 4
        watched = (order // folds) % 5 == fold % 5 if folds > 1 else order % 10 >= 7
        part = np.where(tested, "test", np.where(watched, "validation", "training"))
        tables.append(
            pd.DataFrame(
                {
                    "track_id": [f"t{i:04d}" for i in range(tracks)],
                    "genre": np.array(GENRES)[genre],
                    "artist": [f"artist {a}" for a in artist],
                    "title": "",
                    "path": [f"/nowhere/{i}.wav" for i in range(tracks)],
                    "group": artist,
                    "fold": fold,
                    "part": part[artist],
                }
            )
        )
    return World(pd.concat(tables, ignore_index=True))


def answers(
    world: World, accuracy: float, seed: int, sharpness: float = 1.5, among: int | None = None
) -> np.ndarray:
    """Probabilities (row, genre) of a member that is right on about that share of the tracks.

    ``sharpness`` is the lead of the answer in logits: 1.5 is modest, 8 is (over-)confident.
    ``among`` leaves out a genre: the member never gives it any probability.
    """
    generator = np.random.default_rng(seed)
    truth, genres = world.truth, len(world.genres)
    wrong = (truth + generator.integers(1, genres, len(truth))) % genres
    said = np.where(generator.random(len(truth)) < accuracy, truth, wrong)
    scores = generator.normal(0, 0.3, (len(truth), genres))
    scores[np.arange(len(truth)), said] += sharpness
    if among is not None:
        scores[:, among] = -np.inf
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def single(
    world: World,
    probabilities: np.ndarray,
    extractor: str = "mel",
    seed: int = 0,
    embeddings: np.ndarray | None = None,
    keep: np.ndarray | None = None,
) -> runs.Run:
    """A finished run at home with these predictions; ``keep`` (row,) orders or drops rows."""
    record = {
        "kind": "single",
        "command": ["mgc", "fit"],
        "dataset": {
            "name": world.name,
            "genres": list(world.genres),
            "tracks": int(world.table["track_id"].nunique()),
            "folds": world.folds,
            "group_by": "artist",
            "split": world.split,
        },
        "extractor": {"name": extractor, "fingerprint": extractor},
        "head": {"name": "cnn", "params": {}, "training": None},
        "seed": seed,
        "failures": [],
    }
    columns = [runs.PREFIX + genre for genre in world.genres]
    table = pd.concat([world.table, pd.DataFrame(probabilities, columns=columns)], axis=1)
    vectors = probabilities.astype(np.float32) if embeddings is None else embeddings
    if keep is not None:
        table, vectors = table.iloc[keep].reset_index(drop=True), vectors[keep]
    run = runs.start(f"{world.name}-{extractor}-cnn", record)
    finite = np.isfinite(table[columns].to_numpy()).all()
    scored = (
        {
            part: _score(run, table, part)
            for part in ("validation", "test")
            if part in set(table["part"])
        }
        if finite
        else {}
    )
    for fold in sorted(set(table["fold"])):
        (run.folder / f"fold-{fold}").mkdir()
        (run.folder / f"fold-{fold}" / "head.json").write_text("{}")
    return runs.finish(run, table, vectors, {"metrics": scored, "seconds": 1.0})


def _score(run: runs.Run, table: pd.DataFrame, part: str) -> dict[str, object]:
    rows = table[table["part"] == part]
    return metrics.summary(run.truth(rows), run.probabilities(rows), run.genres)


def accuracy(run: runs.Run, part: str = "test") -> float:
    return float(run.record["metrics"][part]["accuracy"])
