"""What runs say about tracks that their models did not learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import mgc

if TYPE_CHECKING:
    import pandas as pd

MAX_VIEWS = 6  # systems that are heard, the most accurate first
MAX_KNOWN = 2_000  # tracks that a track is compared with
NEIGHBOURS = 5


@dataclass(frozen=True)
class Opinions:
    """What the systems say about the tracks that none of them learnt from.

    ``shares`` is (system, track, genre), ``far`` (track,) how far a track is from the nearest
    others; the runs of each system differ only in their seed.
    """

    tracks: list[str]
    genres: list[str]
    names: list[str]
    runs: list[list[mgc.Run]]
    shares: np.ndarray
    far: np.ndarray

    @property
    def together(self) -> np.ndarray:
        """(track, genre): the normalised geometric mean over the systems."""
        logs = np.log(np.clip(self.shares, 1e-6, 1.0)).mean(0)
        made = np.exp(logs - logs.max(1, keepdims=True))
        return np.asarray(made / made.sum(1, keepdims=True))


def systems(runs: Sequence[mgc.Run], dataset: str, run: str | None = None) -> list[list[mgc.Run]]:
    """The runs that are heard, by system, the most accurate first.

    Of each kind those by the newest labels count; with folds if there are such runs. ``run`` names
    the only one, of an ensemble its members.

    Raises UsageError if there is none.
    """
    there = [r for r in runs if r.record.dataset.name == dataset]
    if run is not None:
        named = [r for r in there if run in (r.name, r.label)][-1:]
        members = list(named[0].record.members) if named and named[0].kind == "ensemble" else []
        there = [r for r in there if r.name in members] or named
    singles = [r for r in there if r.kind == "single"] or there
    singles = [r for r in singles if r.genres == singles[-1].genres]
    folded = [r for r in singles if r.record.dataset.folds > 1] or singles
    if not folded:
        raise mgc.UsageError(
            f"There is no finished run{f' {run!r}' if run else ''} on {dataset}.",
            f"Run: mgc fit --extractor mfcc --folds 5 --data {dataset}",
        )
    newest = {r.title: r.record.dataset.corrections for r in folded}
    grouped: dict[str, list[mgc.Run]] = {}
    for each in folded:
        if newest[each.title] == each.record.dataset.corrections:
            grouped.setdefault(each.title, []).append(each)
    best = sorted(grouped.values(), key=lambda some: -some[-1].figures["accuracy"])
    return best[:MAX_VIEWS]


def opinions(found: Sequence[Sequence[mgc.Run]]) -> Opinions:
    """What systems say about the tracks that all of them have held out."""
    genres = found[0][0].genres
    columns = [f"p:{genre}" for genre in genres]
    tables = []
    for runs in found:
        held = [_held_out(run)[["track_id", *columns]] for run in runs]
        tables.append(_together(held).groupby("track_id").mean())
    tracks = tables[0].index
    for table in tables[1:]:
        tracks = tracks.intersection(table.index)
    shares = np.stack([table.loc[tracks].to_numpy(float) for table in tables])
    far = _distances(found[0][-1]).reindex(tracks).to_numpy(float)
    names = [runs[-1].title for runs in found]
    ids = [str(track) for track in tracks]
    return Opinions(ids, genres, names, [list(runs) for runs in found], shares, far)


def _held_out(run: mgc.Run) -> pd.DataFrame:
    """The rows that a run's models did not learn from."""
    rows = run.predictions
    parts = ["test"] if run.record.dataset.folds > 1 else ["test", "validation"]
    return rows[rows["part"].isin(parts)]


def _together(tables: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    made: pd.DataFrame = pd.concat(tables)
    return made


def _distances(run: mgc.Run) -> pd.Series:
    """By track id, the mean distance (1 - cosine) to the nearest other tracks in the space of the
    model that did not learn from it."""
    import pandas as pd

    rows, vectors = run.predictions, run.embeddings
    found = []
    for _, fold in rows.groupby("fold"):
        held = fold.index[fold["part"] != "training"]
        chosen = np.random.default_rng(0).permutation(fold.index.to_numpy())[:MAX_KNOWN]
        centre = vectors[chosen].mean(0)
        ones, known = (_unit(vectors[index] - centre) for index in (held, chosen))
        for start in range(0, len(held), MAX_KNOWN):
            block = held[start : start + MAX_KNOWN]
            away = 1 - ones[start : start + MAX_KNOWN] @ known.T
            away[block.to_numpy()[:, None] == chosen[None]] = np.inf
            near = np.sort(away, axis=1)[:, :NEIGHBOURS]
            found.append(pd.Series(near.mean(1), fold.loc[block, "track_id"]))
    made: pd.Series = pd.concat(found)
    return made.groupby(level=0).mean()


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
