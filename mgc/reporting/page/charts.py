"""The numbers that the page's charts draw: small columns, packed."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from mgc.evaluation.curves import NAMES, Curve, curves
from mgc.evaluation.maps import EmbeddingMap, Method, embedding_map
from mgc.progress import Progress
from mgc.runs import Run

STEPS = 65_535  # of a coordinate: a sixteenth of a pixel on the largest screen
MAX_NAME = 300  # characters of a name in a chart; the file may have more


def chart_data(
    named: Sequence[tuple[str, Run]], method: Method, progress: Progress
) -> dict[str, Any]:
    """What the page's scripts read, JSON-ready: genres, tracks, and a map and curves per run.

    Numbers of the maps are base64 of little-endian columns: for 25,000 tracks a fifth of the size
    of JSON.
    """
    maps = []
    with progress.task("arranging the maps", len(named), "runs") as task:
        for _, run in named:
            maps.append(embedding_map(run, method))
            task.advance()
    tracks, numbers = _tracks(maps, named[0][1].genres)
    made = [
        {
            "name": name,
            "map": _map(run, found, numbers),
            "curves": [_curve(curve) for curve in curves(run)],
        }
        for (name, run), found in zip(named, maps, strict=True)
    ]
    return {"genres": named[0][1].genres, "tracks": tracks, "runs": made, "figures": NAMES}


def _tracks(
    maps: Sequence[EmbeddingMap], genres: Sequence[str]
) -> tuple[dict[str, Any], dict[str, int]]:
    """The columns of all tracks that any map shows, and each track's number."""
    rows: dict[str, tuple[str, str, str]] = {}
    for found in maps:
        table = found.rows
        for track, title, artist, genre in zip(
            table["track_id"], table["title"], table["artist"], table["genre"], strict=True
        ):
            rows.setdefault(str(track), (str(title), str(artist), str(genre)))
    place = {genre: number for number, genre in enumerate(genres)}
    artists = sorted({artist for _, artist, _ in rows.values()})
    artist_number = {artist: number for number, artist in enumerate(artists)}
    columns = {
        "id": [track[:MAX_NAME] for track in rows],
        "title": [title[:MAX_NAME] for title, _, _ in rows.values()],
        "artist": [artist_number[artist] for _, artist, _ in rows.values()],
        "genre": packed([place[genre] for _, _, genre in rows.values()], "u1"),
        "artists": [artist[:MAX_NAME] for artist in artists],
    }
    return columns, {track: number for number, track in enumerate(rows)}


def _map(run: Run, found: EmbeddingMap, numbers: dict[str, int]) -> dict[str, Any]:
    probabilities = run.probabilities(found.rows)
    steps = np.round((found.points + 1) / 2 * STEPS).clip(0, STEPS)
    folds = sorted(int(fold) for fold in found.rows["fold"].unique())
    return {
        "x": packed(steps[:, 0], "<u2"),
        "y": packed(steps[:, 1], "<u2"),
        "track": packed([numbers[str(track)] for track in found.rows["track_id"]], "<u4"),
        "said": packed(probabilities.argmax(1), "u1"),
        "sure": packed(np.round(100 * probabilities.max(1)), "u1"),
        "fold": packed([folds.index(int(fold)) for fold in found.rows["fold"]], "u1"),
        "folds": [fold + 1 for fold in folds],
        "joined": found.joined,
        "note": found.note,
    }


def packed(values: Any, kind: str) -> str:
    """Base64 of a column of numbers."""
    return base64.b64encode(np.asarray(values).astype(kind).tobytes()).decode()


def _curve(curve: Curve) -> dict[str, Any]:
    figures = {
        name: [None if np.isnan(value) else round(float(value), 5) for value in values]
        for name, values in curve.figures.items()
    }
    return {"fold": curve.fold + 1, "epochs": list(curve.epochs), "figures": figures}
