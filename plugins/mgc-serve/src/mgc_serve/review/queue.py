"""Which tracks of a dataset are worth a person's minute, and why.

The opinions are those of models that did not learn from the track: the out-of-fold rows of runs
with folds, or the validation and test rows of a single split. A track is queued because its label
is suspect (another genre is more probable, by the sound or by the labels of the artist's other
tracks), because its genre is uncertain, because the views disagree, or because it is unlike the
rest. Suspects come first, the least probable label first, and
every `OTHERS`-th place is for the other reasons. Artists and genres that come often are put back.
Each answer changes what the labels of the artist's other tracks say: if one label of an artist is
wrong, the others often are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from mgc_serve.review.opinions import Opinions

if TYPE_CHECKING:
    import pandas as pd


OTHERS = 10  # of so many places one is for another reason than a suspect label
UNLIKE_SHARE = 0.03  # of the tracks, those that are farthest from all others
UNSURE = 0.5  # the most probable genre of an uncertain track has less
GIVEN_WEIGHT = 10.0  # labels of the dataset that one given in the review counts for
ARTIST_PRIOR = 2.0  # tracks with the usual genres that each artist is thought to have besides
TEXTS = ("title", "artist", "album", "genre", "split")
SUSPECT, ARTIST = "suspect", "artist"
UNCERTAIN, DISAGREE, UNLIKE = "uncertain", "disagree", "unlike"


@dataclass(frozen=True)
class View:
    """What one system says about one track: its genre and how probable that is."""

    name: str
    genre: str
    probability: float


@dataclass(frozen=True)
class Doubt:
    """A track to be heard.

    Attributes:
        label: its genre in the dataset.
        tested: whether it is in the test part of the split in use.
        suggested: the genre that is most probable.
        probabilities: genre → probability, of all views together.
        views: what each says.
        reasons: why it is queued, by name: `SUSPECT`, `ARTIST`, `UNCERTAIN`, `DISAGREE`, `UNLIKE`.
    """

    track_id: str
    title: str
    artist: str
    album: str
    label: str
    tested: bool
    suggested: str
    probabilities: dict[str, float]
    views: Sequence[View] = field(default_factory=list)
    reasons: Sequence[str] = field(default_factory=list)


def queue(
    tracks: pd.DataFrame, said: Opinions, given: Mapping[str, str] = MappingProxyType({})
) -> list[Doubt]:
    """The tracks that are worth hearing, in the order in which to hear them.

    ``given`` are the genres that were given in the review, by track id; "" is none of them.
    """
    tracks = tracks.set_index("track_id")
    places = [n for n, track in enumerate(said.tracks) if track in tracks.index]
    rows = tracks.loc[[said.tracks[n] for n in places]]
    known = [given.get(*pair) for pair in zip(rows.index, rows["genre"], strict=True)]
    labels = np.array([said.genres.index(g) if g in said.genres else -1 for g in known])
    weights = np.where(rows.index.isin(list(given)), GIVEN_WEIGHT, 1.0)
    here = replace(
        said,
        tracks=[said.tracks[n] for n in places],
        shares=said.shares[:, places],
        far=said.far[places],
    )
    why = _reasons(rows, labels, weights, here)
    order = _spread(rows, {name: _ranked(*pair) for name, pair in why.items()})
    heard = here.together
    texts = {name: rows[name].astype(str).tolist() for name in TEXTS}
    return [
        Doubt(
            track_id=str(rows.index[n]),
            **{name: texts[name][n] for name in ("title", "artist", "album")},
            label=texts["genre"][n],
            tested=texts["split"][n] == "test",
            suggested=said.genres[heard[n].argmax()],
            probabilities=dict(zip(said.genres, heard[n].round(4).tolist(), strict=True)),
            views=[
                View(name, said.genres[one[n].argmax()], round(float(one[n].max()), 4))
                for name, one in zip(said.names, here.shares, strict=True)
            ],
            reasons=[name for name, (true, _) in why.items() if true[n]],
        )
        for n in order
    ]


def _reasons(
    rows: pd.DataFrame, labels: np.ndarray, weights: np.ndarray, said: Opinions
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By reason: for which tracks it is true (track,), and a key by which they are ranked, the
    smallest first."""
    from scipy.stats import entropy, rankdata

    heard, shares, far = said.together, said.shares, said.far
    by_artist = _by_artist(rows, labels, weights, len(said.genres))
    both = heard * by_artist
    both /= both.sum(1, keepdims=True)
    suspect = (heard.argmax(1) != labels) | (both.argmax(1) != labels)
    # What an artist's other labels say finds single mistakes, but hides those that an artist's
    # tracks share: both lists are gone through side by side.
    ranks = [rankdata(_own_share(each, labels), "ordinal") for each in (both, heard)]
    apart = entropy(shares.mean(0), axis=-1) - entropy(shares, axis=-1).mean(0)
    edge = np.nanquantile(far, 1 - UNLIKE_SHARE) if np.isfinite(far).any() else np.inf
    alone = (labels < 0) | (by_artist[np.arange(len(labels)), labels] >= 1)
    return {
        SUSPECT: (suspect, np.minimum(*ranks)),
        ARTIST: (suspect & ~alone, ranks[0]),
        UNCERTAIN: (heard.max(1) < UNSURE, -entropy(heard, axis=-1)),
        DISAGREE: (_voices(shares) > max(2, len(shares) / 2), -apart),
        UNLIKE: (far > edge, -far),
    }


def _by_artist(
    rows: pd.DataFrame, labels: np.ndarray, weights: np.ndarray, genres: int
) -> np.ndarray:
    """How much more usual each genre (track, genre) is among the other tracks by a track's artist
    than in the dataset; 1 without other tracks."""
    own = np.eye(genres + 1)[labels][:, :genres]  # -1: none
    usual = (own.sum(0) + 1) / (own.sum() + genres)
    artist = rows["artist"].where(rows["artist"] != "", rows.index.to_series())
    codes = artist.astype("category").cat.codes.to_numpy()
    own *= weights[:, None]
    counts = np.zeros((codes.max(initial=-1) + 1, genres))
    np.add.at(counts, codes, own)
    others = counts[codes] - own
    weight = others.sum(1, keepdims=True)
    shares = (others + ARTIST_PRIOR * usual) / (weight + ARTIST_PRIOR)
    return np.asarray(shares / usual)


def _own_share(shares: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The share of each track's label (track,), as a multiple of what the tracks with that label
    have on average: some genres are harder to hear than others."""
    genres = shares.shape[1]
    own = np.where(labels < 0, 0.0, shares[np.arange(len(labels)), labels])
    means = [own[labels == n].mean() if (labels == n).any() else 1.0 for n in range(genres)]
    return np.asarray(own / np.maximum(means, 1 / genres)[labels])


def _voices(shares: np.ndarray) -> np.ndarray:
    """How many different genres the systems name (track,)."""
    named = shares.argmax(2)
    return np.array([len(set(column)) for column in named.T])


def _ranked(true: np.ndarray, key: np.ndarray) -> list[int]:
    """The numbers of the tracks for which a reason is true, the smallest key first."""
    places = np.flatnonzero(true)
    return [int(n) for n in places[np.argsort(key[places], kind="stable")]]


def _spread(rows: pd.DataFrame, ranked: dict[str, list[int]]) -> list[int]:
    """All ranked tracks once: suspects first, the others between them, and no artist or genre too
    often."""
    suspects = _put_back(rows, ranked.pop(SUSPECT))
    del ranked[ARTIST]  # suspects too
    rest = [n for some in zip_longest(*ranked.values()) for n in some if n is not None]
    taken = set(suspects)
    others = [n for n in dict.fromkeys(rest) if n not in taken]
    size = OTHERS - 1
    blocks = [suspects[start : start + size] for start in range(0, len(suspects), size)]
    between = [[n] for n in others]
    pairs = zip_longest(blocks, between, fillvalue=list[int]())
    return list(chain.from_iterable(chain.from_iterable(pairs)))


def _put_back(rows: pd.DataFrame, order: list[int]) -> list[int]:
    """An order in which what comes often, an artist or a label, comes later."""
    if not order:
        return []
    here = rows.iloc[order]
    rank = np.arange(1, len(order) + 1)
    artist = here["artist"].where(here["artist"] != "", here.index.to_series())
    again = here.groupby(artist.to_numpy()).cumcount().to_numpy()
    share = (here.groupby("genre").cumcount().to_numpy() + 1) / rank
    often = np.maximum(share * rows["genre"].nunique(), 1.0)
    key = rank * (1 + again / 4) * np.sqrt(often)
    return [order[n] for n in np.argsort(key, kind="stable")]
