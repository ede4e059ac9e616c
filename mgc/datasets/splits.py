"""Splits: training, validation, test, and folds. Tracks are split first and cut into clips after.

Groups (artists, albums, or both as connected components) never cross a boundary; genres are kept
in proportion as far as the groups allow (`allocate`; folds: scikit-learn's StratifiedGroupKFold).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mgc.datasets.allocation import allocate, repaired
from mgc.datasets.table import SPLITS
from mgc.errors import UsageError, counted

GroupBy = Literal["artist", "album", "artist+album", "none"]
SHARES = (0.7, 0.1, 0.2)  # of the tracks, in the order of SPLITS
#: The share of the training side held out for validation: 10 out of 80.
HELD_OUT = 1 / 8
#: A column that the audit adds: copies of one recording have the same value in it.
RECORDING = "recording"
#: A column that corrections add: the labels before them, by which folds are stratified.
UNCORRECTED = "genre_before"


@dataclass(frozen=True)
class Fold:
    """Row numbers of the table: what is learnt from, what training may monitor, what is scored."""

    number: int
    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def groups(tracks: pd.DataFrame, by: GroupBy) -> np.ndarray:
    """The group of each track as a number (track,); tracks of one group stay together.

    A track whose artist (or album) is unknown is a group of its own. ``artist+album`` joins
    tracks that share either, directly or through other tracks. Copies of one recording
    (the column ``recording``, if an audit has added it) stay together under every grouping.
    """
    if by not in get_args(GroupBy):
        raise UsageError(
            f"Tracks cannot be grouped by {by!r}.", f"Use one of: {', '.join(get_args(GroupBy))}."
        )
    columns = [] if by == "none" else by.split("+")
    columns += [RECORDING] if RECORDING in tracks else []
    if not columns:
        return np.arange(len(tracks))
    ends = [_links(tracks[column], len(tracks)) for column in columns]
    rows = np.concatenate([end[0] for end in ends])
    to = np.concatenate([end[1] for end in ends])
    return linked(rows, to, len(tracks))


def linked(rows: ArrayLike, to: ArrayLike, count: int) -> np.ndarray:
    """A group number for each of ``count`` tracks (track,): those that pairs of rows link, directly
    or through others, have the same."""
    graph = coo_matrix((np.ones(np.size(rows)), (rows, to)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def _links(names: pd.Series, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Each known name ties its tracks to the first of them."""
    rows = np.arange(count)
    known = names.to_numpy() != ""
    codes, _ = pd.factorize(names[known])
    first = np.full(codes.max(initial=-1) + 1, -1)
    first[codes[::-1]] = rows[known][::-1]
    return rows[known], first[codes]


def default_grouping(tracks: pd.DataFrame) -> GroupBy:
    """By artist if artists are known, else by album, else no grouping."""
    for column in ("artist", "album"):
        if (tracks[column] != "").any():
            return column
    return "none"


def make_split(tracks: pd.DataFrame, by: GroupBy, seed: int) -> pd.Series:
    """The split column for a stratified, grouped split of about 70/10/20.

    Raises UsageError if a genre has too few groups to be in all three.
    """
    group = groups(tracks, by)
    _enough_groups(tracks, group, by, len(SPLITS), "a training, a validation and a test split")
    part = allocate(tracks["genre"].to_numpy(dtype=str), group, SHARES, seed)
    return pd.Series(np.array(SPLITS, dtype=object)[part], tracks.index)


def official_fold(tracks: pd.DataFrame, by: GroupBy, seed: int) -> Fold:
    """The fold that the table's own split column describes.

    If there are no validation rows, an eighth of the training side, grouped, takes their place.
    Raises UsageError if training or test rows are missing.
    """
    rows = {name: np.nonzero((tracks["split"] == name).to_numpy())[0] for name in SPLITS}
    for name in ("training", "test"):
        if not len(rows[name]):
            raise UsageError(
                f"The dataset has no track in its {name} split.",
                "Fit with --folds 5, or make a split: mgc data split NAME",
            )
    if not len(rows["validation"]):
        rows["training"], rows["validation"] = _held_out(
            tracks, groups(tracks, by), rows["training"], seed, by, "this split"
        )
    return Fold(0, rows["training"], rows["validation"], rows["test"])


def k_folds(
    tracks: pd.DataFrame, count: int, by: GroupBy, seed: int, *, given: bool = False
) -> list[Fold]:
    """``count`` folds: each track is in the test part of exactly one.

    In each fold an eighth of the training side, grouped and stratified, is its validation part.
    With ``given``, the table's own column ``fold`` says which fold tests a track. Raises UsageError
    if a genre has fewer groups than folds, or if no validation part can be held out.
    """
    if count < 2:
        raise UsageError(f"--folds {count} is too few.", "Use 2 or more; 5 is usual.")
    group = groups(tracks, by)
    tracks = tracks.assign(genre=tracks.get(UNCORRECTED, tracks["genre"]))
    if given:
        part = _given_parts(tracks)
    else:
        _enough_groups(tracks, group, by, count, f"{count} folds")
        part = _parts(tracks["genre"], group, count, seed)
    folds = []
    for number in range(count):
        rest, test = np.nonzero(part != number)[0], np.nonzero(part == number)[0]
        what = f"{count} folds"
        training, validation = _held_out(tracks, group, rest, seed + number, by, what)
        folds.append(Fold(number, training, validation, test))
    return folds


def _given_parts(tracks: pd.DataFrame) -> np.ndarray:
    """The number of each track's fold (track,), in natural order: fold 2 comes before fold 10."""
    names = sorted(tracks["fold"].unique(), key=lambda name: (len(name), name))
    return pd.Categorical(tracks["fold"], categories=names).codes.astype(int)


def given_folds(tracks: pd.DataFrame) -> int:
    """How many folds the table's own column ``fold`` makes; 0 if it does not say for each track
    which of at least two folds tests it."""
    if "fold" not in tracks or (tracks["fold"] == "").any():
        return 0
    count = int(tracks["fold"].nunique())
    return count if 2 <= count < len(tracks) else 0


def _held_out(
    tracks: pd.DataFrame, group: np.ndarray, rows: np.ndarray, seed: int, by: GroupBy, what: str
) -> tuple[np.ndarray, np.ndarray]:
    """Divide ``rows`` into (training, validation), an eighth of the tracks held out.

    Raises UsageError if they are all in one group, or if each group is needed to learn a genre.
    """
    count = len(np.unique(group[rows]))
    if count < 2:
        raise UsageError(
            f"No validation part can be held out: all {counted(len(rows), 'training track')} form "
            "one group.",
            "Use another grouping: --group-by none, or give the dataset a validation split.",
        )
    genres = tracks.get(UNCORRECTED, tracks["genre"]).to_numpy(dtype=str)[rows]
    part = allocate(genres, group[rows], (1 - HELD_OUT, HELD_OUT), seed)
    if not part.any():
        raise UsageError(
            f"There are too few {_plural(_owner(by))} for {what} with a validation part: of the "
            f"{count} to learn from, none can be spared, because some genre would not be learnt.",
            "Add tracks by others, or change the grouping: mgc data add … --group-by none.",
        )
    return rows[part == 0], rows[part == 1]


def _parts(genres: pd.Series, group: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The fold that tests each track (track,)."""
    import warnings

    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    names = genres.to_numpy(dtype=str)
    part = np.zeros(len(genres), int)
    with warnings.catch_warnings():
        # A genre with fewer tracks than parts is spread as far as it goes; the caller reports it.
        warnings.simplefilter("ignore", UserWarning)
        for number, (_, test) in enumerate(splitter.split(np.zeros(len(genres)), names, group)):
            part[test] = number
    return repaired(names, group, part, [1 / count] * count)


def _enough_groups(
    tracks: pd.DataFrame, group: np.ndarray, by: GroupBy, needed: int, what: str
) -> None:
    counts = group_counts(tracks, group)
    for genre, count in counts[counts < needed].items():
        owner = _owner(by)
        raise UsageError(
            f"Genre {genre!r} has only {count} {owner if count == 1 else _plural(owner)}: "
            f"too few for {what}, which need {needed}.",
            "Ask for fewer folds, leave out such genres (mgc data add … --drop-rare), or change "
            "the grouping (mgc data add … --group-by none).",
        )


def group_counts(tracks: pd.DataFrame, group: np.ndarray) -> pd.Series:
    """How many groups each genre has."""
    return pd.Series(group).groupby(tracks["genre"].to_numpy(dtype=str)).nunique()


def _owner(by: GroupBy) -> str:
    return {"none": "track", "artist+album": "group of artists and albums"}.get(by, by)


def _plural(owner: str) -> str:
    return "groups of artists and albums" if owner.startswith("group") else f"{owner}s"


def split_hash(tracks: pd.DataFrame, folds: list[Fold]) -> str:
    """A short name for exactly these folds of these tracks; runs with equal names compare."""
    code = 0
    ids = tracks["track_id"].to_numpy(dtype=str)
    for fold in folds:
        for part in (fold.training, fold.validation, fold.test):
            code = zlib.crc32("\n".join([*sorted(ids[part]), "", ""]).encode(), code)
    return f"{code:08x}"
