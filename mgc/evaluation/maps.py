"""Two-dimensional maps of embeddings: what a model finds similar lies close together.

t-SNE (van der Maaten and Hinton 2008), on the leading principal components and initialised from
them, so that the large-scale order means something (Kobak and Berens 2019).

A run with folds holds one model per fold, each with its own space, so their embeddings cannot be
put into one map directly. Every fold's model has embedded all tracks, though, so each space is
aligned with the first one by the rotation that fits best on the tracks that neither model was
tested on (orthogonal Procrustes, Schönemann 1966; no genre is looked at), in their leading
principal components. How well this works is measured on the other tracks and reported; if the
spaces are too different, or share too few tracks (with two folds, none), each fold gets its own
map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from mgc.runs import Run

Method = Literal["tsne", "pca"]
SHARED_COMPONENTS = 20  # two folds' models agree on the strong directions, not on the faint ones
KEPT_COMPONENTS = 50  # t-SNE's usual input; more would be noise, and slow
PERPLEXITY = 30.0
TRACKS_A_COMPONENT = 3  # tracks two folds must share so that the rotation does not fit noise
MIN_FIT = 0.5  # share of variance that must survive the alignment
#: Points that t-SNE itself arranges; the rest are placed between their nearest ones, because its
#: time grows faster than their number (25,000: minutes).
ARRANGED = 3_000
NEAREST = 4
MIN_POINTS = 8  # with fewer points neighbourhoods mean nothing, and PCA is drawn instead


@dataclass(frozen=True)
class EmbeddingMap:
    """The test rows of a run on a plane.

    Attributes:
        rows: the rows of ``run.predictions``, in the order of the points.
        points: (row, 2) float64 in [-1, 1].
        joined: whether all points share one space.
        fit: if folds were aligned, the share of variance (R²) that agreed on tracks that the fit
            did not see; else None.
        method: how the plane was computed.
    """

    rows: pd.DataFrame
    points: np.ndarray
    joined: bool
    fit: float | None
    method: Method

    @property
    def note(self) -> str:
        """How the map was made, in words."""
        how = "t-SNE" if self.method == "tsne" else "two principal components"
        if self.rows["fold"].nunique() == 1:
            return f"{how} of the embeddings of the test tracks."
        if self.fit is not None and self.joined:
            return (
                f"{how} of the test tracks of all folds. Each fold has its own model and space: "
                "they were rotated onto the first one by tracks that neither model was tested "
                f"on, without using the genres (R² {self.fit:.2f} on other tracks)."
            )
        if self.joined:
            return f"{how}. The members' probabilities mean the same in every fold: one space."
        why = "have too few tracks in common"
        if self.fit is not None:
            why = f"arrange the music too differently (R² {self.fit:.2f})"
        return f"{how}, fold by fold: the folds' models {why}. Compare points of one fold only."


def embedding_map(run: Run, method: Method = "tsne", seed: int = 0) -> EmbeddingMap:
    """Arrange the test rows of a run on a plane."""
    rows = run.rows("test")
    vectors, fit, joined = run.embeddings[rows.index], None, True
    if rows["fold"].nunique() > 1 and run.kind != "ensemble":
        aligned, fit = shared_space(run, rows)
        joined = fit is not None and fit >= MIN_FIT
        vectors = aligned if joined else vectors
    points = np.zeros((len(rows), 2))
    apart = np.zeros(len(rows)) if joined else rows["fold"].to_numpy()
    for space in np.unique(apart):
        here = apart == space
        points[here] = _framed(plane(vectors[here], method, seed))
    return EmbeddingMap(rows, points, joined, fit, method)


def plane(vectors: np.ndarray, method: Method = "tsne", seed: int = 0) -> np.ndarray:
    """(row, dimension) → (row, 2) float64; deterministic for a seed."""
    vectors = np.asarray(vectors, np.float64)
    components = _components(vectors, KEPT_COMPONENTS, seed)
    if method == "pca" or len(vectors) < MIN_POINTS:
        return np.pad(components, ((0, 0), (0, 2)))[:, :2]
    if len(vectors) <= ARRANGED:
        return _tsne(components, seed)
    return _around_landmarks(components, seed)


def _components(vectors: np.ndarray, most: int, seed: int) -> np.ndarray:
    if len(vectors) == 1:
        return np.zeros((1, 1))
    count = min(most, *vectors.shape)
    return np.asarray(PCA(count, random_state=seed).fit_transform(vectors))


def _tsne(components: np.ndarray, seed: int) -> np.ndarray:
    perplexity = min(PERPLEXITY, (len(components) - 1) / 3)
    start = "pca" if components.shape[1] >= 2 else "random"
    with threadpool_limits(1):  # a fixed order of summation: the same map on every machine
        made = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(components)
    return np.asarray(made, np.float64)


def _around_landmarks(components: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE of a random subset; every other point goes to the weighted mean of its nearest ones."""
    chosen = np.random.default_rng(seed).permutation(len(components))[:ARRANGED]
    arranged = _tsne(components[chosen], seed)
    nearest = NearestNeighbors(n_neighbors=NEAREST).fit(components[chosen])
    distance, near = nearest.kneighbors(components)
    weight = 1 / np.maximum(distance, 1e-9) ** 2
    points: np.ndarray = (arranged[near] * weight[..., None]).sum(1) / weight.sum(1)[:, None]
    points[chosen] = arranged
    return points


def _framed(points: np.ndarray) -> np.ndarray:
    """Turn so that the longest direction is horizontal, then shift and scale into [-1, 1], keeping
    proportions: distances mean what they meant."""
    x, y = (points - points.mean(0)).T
    angle = np.arctan2(2 * (x @ y), x @ x - y @ y) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    points = points @ np.array([[cos, -sin], [sin, cos]])
    low, high = points.min(0), points.max(0)
    half = float((high - low).max()) / 2 or 1.0
    return np.asarray((points - (low + high) / 2) / half)


def shared_space(run: Run, rows: pd.DataFrame) -> tuple[np.ndarray, float | None]:
    """The embeddings of ``rows``, all in the first fold's space (row, component), and the R² of
    aligning the folds, on tracks that the fit did not see (mean over folds).

    None in place of R², and zeros, if the folds share too few tracks.
    """
    everything = run.predictions[["track_id", "fold", "part"]]
    tables = [table for _, table in everything.groupby("fold")]
    known = [pd.Index(table["track_id"][table["part"] != "test"]) for table in tables]
    shared = min(len(known[0].intersection(other)) for other in known[1:])
    count = min(SHARED_COMPONENTS, run.embeddings.shape[1], shared // TRACKS_A_COMPONENT)
    if count < 2:
        return np.zeros((len(rows), 2)), None
    spaces = [_space(run.embeddings[table.index], table, count) for table in tables]
    first, fits = spaces[0], []
    moved = [first]
    for other, theirs in zip(spaces[1:], known[1:], strict=True):
        laid, fit = _laid_over(other, first, known[0].intersection(theirs))
        moved.append(laid)
        fits.append(fit)
    made = np.zeros((len(rows), count))
    for fold, laid in zip(sorted(everything["fold"].unique()), moved, strict=True):
        here = (rows["fold"] == fold).to_numpy()
        made[here] = laid.loc[rows["track_id"][here]].to_numpy()
    return made, float(np.mean(fits))


def _space(vectors: np.ndarray, table: pd.DataFrame, count: int) -> pd.DataFrame:
    """All tracks of a fold in the leading components of those its model was not tested on."""
    vectors = np.asarray(vectors, np.float64)
    seen = (table["part"] != "test").to_numpy()
    components = PCA(count, random_state=0).fit(vectors[seen]).transform(vectors)
    return pd.DataFrame(components, index=table["track_id"])


def _laid_over(
    space: pd.DataFrame, onto: pd.DataFrame, known: pd.Index
) -> tuple[pd.DataFrame, float]:
    """A fold's space rotated and scaled onto another using the tracks ``known``, and the R² on
    the other tracks that both have."""
    mine, theirs = space.loc[known].to_numpy(), onto.loc[known].to_numpy()
    centre, target = mine.mean(0), theirs.mean(0)
    rotation, stretch = orthogonal_procrustes(mine - centre, theirs - target)
    scale = stretch / max(float(((mine - centre) ** 2).sum()), 1e-12)
    moved = pd.DataFrame((space.to_numpy() - centre) @ rotation * scale + target, space.index)
    rest = space.index.intersection(onto.index).difference(known)
    apart = moved.loc[rest].to_numpy() - onto.loc[rest].to_numpy()
    spread = onto.loc[rest].to_numpy() - onto.loc[rest].to_numpy().mean(0)
    left = float((apart**2).sum()) / max(float((spread**2).sum()), 1e-12)
    return moved, 1.0 - left
