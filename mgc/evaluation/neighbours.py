"""Which tracks a run finds most similar to a test track: those nearest in its embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mgc.runs import Run

NAMES = ("track_id", "title", "artist", "path", "genre")


@dataclass(frozen=True)
class NearTrack:
    """A similar track; ``similarity`` is the cosine of the two centred embeddings, in [-1, 1]."""

    track_id: str
    title: str
    artist: str
    path: str
    genre: str
    similarity: float


def neighbours(run: Run, track_ids: Sequence[str], count: int) -> dict[str, list[NearTrack]]:
    """The nearest tracks of each test track, nearest first.

    They are looked for in the space of the model that did not learn from the track, and never
    among tracks of its own group (artist). Tracks that the run did not test are left out.
    """
    found = {}
    for _, table in run.predictions.groupby("fold"):
        tested = table["track_id"].isin(list(track_ids)) & (table["part"] == "test")
        if tested.any():
            vectors = run.embeddings[table.index].astype(np.float64)
            vectors -= vectors.mean(0)
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            for place in np.flatnonzero(tested):
                track = str(table["track_id"].iloc[place])
                found[track] = _nearest(table, vectors, int(place), count)
    return found


def _nearest(table: pd.DataFrame, vectors: np.ndarray, place: int, count: int) -> list[NearTrack]:
    """The nearest of one fold's tracks, given their unit vectors (row, dimension)."""
    similarity = vectors @ vectors[place]
    for column in {"track_id", "group"} & set(table):
        same = table[column] == table[column].iloc[place]
        similarity[same.to_numpy()] = -np.inf
    order = np.argsort(-similarity, kind="stable")[:count]
    return [
        NearTrack(track, title, artist, path, genre, float(alike))
        for (track, title, artist, path, genre), alike in zip(
            table[list(NAMES)].iloc[order].astype(str).to_numpy(), similarity[order], strict=True
        )
        if np.isfinite(alike)
    ]
