"""How good the neighbours of ``mgc similar`` are: ``python -m benchmarks.similar RUN[+RUN…]…``.

Precision at 10: the share of the 10 nearest tracks by other artists that have the query's genre.
Each test track of a run with folds is the query once, in the space of the fold whose model has not
seen it; all other tracks of the dataset are known. Runs joined by ``+`` count as an ensemble: the
mean of their distances. Chance is the share of the genre among tracks by other artists; "mel
statistics" are the means and deviations of the mel bands, standardised, with the same distance,
from the first run of the extractor mel. Intervals (95 %) resample artists.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mgc import runs
from mgc.evaluation.intervals import percentile_interval, resamples
from mgc.features import file_hashes
from mgc.prediction.similar import KnownTracks
from mgc.runs import Run, models

NEAREST = 10


def precision(distances: np.ndarray, query: pd.Series, tracks: pd.DataFrame) -> float:
    """The share of the nearest tracks by other artists that have the query's genre."""
    others = np.flatnonzero((tracks["artist"] != query["artist"]).to_numpy())
    nearest = others[np.argsort(distances[others], kind="stable")[:NEAREST]]
    return float((tracks["genre"].to_numpy()[nearest] == query["genre"]).mean())


def of_runs(members: Sequence[Run]) -> pd.Series:
    """Track id → precision, by the embeddings of one run, or of several together."""
    found = {}
    first = members[0].predictions
    for fold in sorted(first["fold"].unique()):
        tracks = first[first["fold"] == fold].reset_index(drop=True)
        vectors = []
        for run in members:
            rows = run.predictions.reset_index()
            rows = rows[rows["fold"] == fold].set_index("track_id")["index"]
            vectors.append(run.embeddings[rows.loc[tracks["track_id"]]])
        known = KnownTracks(tracks, vectors, "")
        for number, query in tracks[tracks["part"] == "test"].iterrows():
            distances = known.distances([own[number] for own in vectors])
            found[query["track_id"]] = precision(distances, query, tracks)
    return pd.Series(found)


def of_mel_statistics(run: Run) -> pd.Series:
    """Track id → precision, by means and deviations of the mel bands that a run was fitted on."""
    tracks = run.tracks.reset_index()
    store = models.load_source(run).store
    hashes = file_hashes.hashes([Path(path) for path in tracks["path"]])
    clips = [np.concatenate(store.read(sha), 1).astype(np.float64) for sha in hashes]
    rows = np.stack([np.concatenate([clip.mean(1), clip.std(1)]) for clip in clips])
    rows = (rows - rows.mean(0)) / np.maximum(rows.std(0), 1e-9)
    known = KnownTracks(tracks, [rows], "")
    queries = zip(rows, (query for _, query in tracks.iterrows()), strict=True)
    said = [precision(known.distances([row]), query, tracks) for row, query in queries]
    return pd.Series(said, tracks["track_id"])


def of_chance(tracks: pd.DataFrame) -> pd.Series:
    """Track id → the share of its genre among the tracks by other artists."""
    said = [
        (tracks["genre"][tracks["artist"] != query["artist"]] == query["genre"]).mean()
        for _, query in tracks.iterrows()
    ]
    return pd.Series(said, tracks.index)


def interval(values: pd.Series, tracks: pd.DataFrame) -> tuple[float, float]:
    """95 % interval of the mean over tracks, resampling artists."""
    by_artist = values.groupby(tracks["artist"].loc[values.index])
    totals, sizes = by_artist.sum().to_numpy(), by_artist.size().to_numpy()
    drawn = np.concatenate([d @ totals / (d @ sizes) for d in resamples(len(sizes))])
    return percentile_interval(drawn)


def main(names: Sequence[str]) -> None:
    """Print one line per system, and its difference to mel statistics."""
    systems = {name: [runs.load_finished(n) for n in name.split("+")] for name in names}
    everything = [run for members in systems.values() for run in members]
    tracks = everything[0].tracks
    found = {"chance": of_chance(tracks)}
    mel = next((run for run in everything if run.record.extractor.name == "mel"), None)
    if mel is not None:
        found["mel statistics"] = of_mel_statistics(mel)
    found |= {name: of_runs(members) for name, members in systems.items()}
    print("| system | precision at 10 (%) | more than mel statistics |\n|---|---|---|")
    for name, values in found.items():
        cells = [values]
        if "mel statistics" in found and name not in ("chance", "mel statistics"):
            cells.append(values - found["mel statistics"].loc[values.index])
        shown = [
            f"{100 * cell.mean():.1f} ({100 * low:.1f} to {100 * high:.1f})"
            for cell in cells
            for low, high in [interval(cell, tracks)]
        ]
        print(f"| {name} | {' | '.join([*shown, ''][:2])} |")


if __name__ == "__main__":
    main(sys.argv[1:])
