"""``mgc data audit``: can this split be trusted?

Leakage by artist, by album, and by tracks connected through both; one recording in several
tracks; how balanced the genres are. And a clean split, made with as few moves as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mgc.datasets import grouping, named_splits, splits
from mgc.datasets.quality import duplicates
from mgc.datasets.quality.checking import judge_again
from mgc.datasets.quality.kept_codes import KeptCodes
from mgc.datasets.quality.listening import hear
from mgc.datasets.quarantine import usable
from mgc.datasets.remarks import remarks
from mgc.datasets.splits import RECORDING, GroupBy
from mgc.datasets.table import SPLITS, Dataset
from mgc.progress import Progress, Silent

CLEAN = "clean"  # the name of the split that --fix writes
EVEN = 3.0  # the largest genre against the smallest: beyond this, plain accuracy flatters
AT_ONCE = 20_000  # tracks whose fingerprints are in memory, 5 kB each
DRIFT = 0.05  # of a genre's share between one split and all tracks


@dataclass(frozen=True)
class Leak:
    """Groups of one kind that are in more than one split.

    Attributes:
        by: artist, album or artist+album.
        groups: how many cross a split boundary.
        tracks: how many tracks they have.
        examples: (name, tracks in each split) of the largest.
    """

    by: str
    groups: int
    tracks: int
    examples: list[tuple[str, dict[str, int]]]


@dataclass(frozen=True)
class Copies:
    """Two tracks that are the same recording; ``error`` is 0 for equal samples."""

    first: str
    second: str
    kind: str  # exact | near
    error: float
    offset: float
    seconds: float
    splits: tuple[str, str]
    genres: tuple[str, str]

    @property
    def crosses(self) -> bool:
        """In two different splits."""
        return "" not in self.splits and self.splits[0] != self.splits[1]


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        tracks: the usable tracks, with the column ``recording``.
        left_out: quarantined tracks by fault.
        leaks: one per kind of group that is known.
        copies: pairs of tracks that are the same recording.
        balance: tracks by genre (row) and split (column).
        warnings: what is unbalanced, unknown or odd, in words.
    """

    tracks: pd.DataFrame
    left_out: dict[str, int]
    leaks: list[Leak]
    copies: list[Copies]
    balance: pd.DataFrame
    warnings: list[str]

    @property
    def clean(self) -> bool:
        """Nothing crosses a split."""
        return not any(leak.groups for leak in self.leaks) and not any(
            pair.crosses for pair in self.copies
        )


def audit(
    dataset: Dataset,
    *,
    include_bad: bool = False,
    workers: int = 0,
    progress: Progress | None = None,
) -> Audit:
    """Audit a dataset's split; files not heard before are decoded once."""
    judge_again(dataset, progress or Silent())
    tracks, left_out = usable(dataset, include_bad)
    paths = [dataset.root / path for path in tracks["path"]]
    with KeptCodes() as kept:
        hashes = _heard(paths, kept, workers, progress)
        copies = _copies(tracks, hashes, kept)
    tracks = tracks.assign(**{RECORDING: _recordings(tracks, copies)})
    balance = pd.crosstab(tracks["genre"], tracks["split"])
    balance = balance[[name for name in (*SPLITS, "") if name in balance]]
    warnings = [*_uneven(balance), *_unknown(tracks), *remarks(dataset)]
    return Audit(tracks, left_out, _leaks(tracks), copies, balance, warnings)


def _heard(
    paths: Sequence[Path], kept: KeptCodes, workers: int, progress: Progress | None
) -> list[str]:
    """The hash of each track's samples; the fingerprints are kept."""
    hashes = []
    for start in range(0, len(paths), AT_ONCE):
        some = paths[start : start + AT_ONCE]
        heard = hear(some, codes=True, workers=workers, progress=progress)
        for one in map(heard.__getitem__, some):
            hashes.append(one.samples)
            kept.add(one.codes)
    return hashes


def _unknown(tracks: pd.DataFrame) -> list[str]:
    """For how many tracks leakage cannot be seen, if their artist is not known."""
    known = grouping.known(tracks, "artist")
    if known in (0, len(tracks)):  # none is said where the leaks are listed
        return []
    return [
        f"The artist is known for {known:,} of {len(tracks):,} tracks: leakage through the others "
        "cannot be seen."
    ]


def _leaks(tracks: pd.DataFrame) -> list[Leak]:
    kinds = [column for column in ("artist", "album") if (tracks[column] != "").any()]
    if len(kinds) == 2:
        kinds.append("artist+album")
    return [_leak(tracks.drop(columns=RECORDING), kind) for kind in kinds]


def _leak(tracks: pd.DataFrame, by: Any) -> Leak:
    placed = tracks[tracks["split"] != ""].reset_index(drop=True)
    group = splits.groups(placed, by)
    crossing = placed.groupby(group)["split"].transform("nunique").to_numpy() > 1
    inside = placed[crossing].assign(group=group[crossing])
    sizes = inside["group"].value_counts()
    examples = []
    for number in sizes.index[:5]:
        members = inside[inside["group"] == number]
        where = members["split"].value_counts()
        examples.append((_name(members, by), {str(k): int(n) for k, n in where.items()}))
    return Leak(by, len(sizes), len(inside), examples)


def _name(members: pd.DataFrame, by: str) -> str:
    columns = by.split("+")
    names = [name for column in columns for name in members[column].value_counts().index if name]
    more = f" and {len(names) - 1} more" if len(names) > 1 and len(columns) > 1 else ""
    return f"{names[0]}{more}"


def _copies(tracks: pd.DataFrame, hashes: Sequence[str], kept: KeptCodes) -> list[Copies]:
    found = []
    about = [tracks[name].to_numpy() for name in ("track_id", "split", "genre")]
    same: set[tuple[int, int]] = set()
    for group in duplicates.exact(hashes):
        for second in group[1:]:
            same.add((group[0], second))
            pair = duplicates.Pair(group[0], second, 0.0, 0.0, float("nan"))
            found.append(_pair(about, pair, "exact"))
    first_of = {second: first for first, second in same}
    found += [
        _pair(about, pair, "near")
        for pair in duplicates.near_in(kept)
        if first_of.get(pair.first, pair.first) != first_of.get(pair.second, pair.second)
    ]
    return sorted(found, key=lambda pair: not pair.crosses)  # stable: then exact, then certain


def _pair(about: Sequence[np.ndarray], found: duplicates.Pair, kind: str) -> Copies:
    (first, second), where, genres = ((one[found.first], one[found.second]) for one in about)
    return Copies(first, second, kind, found.error, found.offset, found.seconds, where, genres)


def _recordings(tracks: pd.DataFrame, copies: Sequence[Copies]) -> list[str]:
    """One name for all tracks of a recording, "" for a track without copies (track,)."""
    number = {track_id: row for row, track_id in enumerate(tracks["track_id"])}
    rows = [number[pair.first] for pair in copies], [number[pair.second] for pair in copies]
    label = splits.linked(*rows, len(tracks))
    first = pd.Series(tracks["track_id"].to_numpy()).groupby(label).transform("first")
    many = np.bincount(label)[label] > 1
    return [name if copied else "" for name, copied in zip(first, many, strict=True)]


def _uneven(balance: pd.DataFrame) -> list[str]:
    found = []
    sizes = balance.sum(axis=1)
    if sizes.max() > EVEN * sizes.min():
        found.append(
            f"{sizes.idxmax()} has {sizes.max() / sizes.min():.0f} times the tracks of "
            f"{sizes.idxmin()}: look at F1, not just accuracy."
        )
    shares = sizes / sizes.sum()
    for name in balance:
        part = balance[name]
        if not name:
            continue
        found += [f"{genre} has no track in the {name} split." for genre in part.index[part == 0]]
        drift = (part / part.sum() - shares).abs()
        if drift.max() > DRIFT:
            genre = str(drift.idxmax())
            found.append(
                f"{genre} is {100 * part[genre] / part.sum():.0f} % of the {name} split and "
                f"{100 * shares[genre]:.0f} % of all."
            )
    return found


def fix(
    dataset: Dataset, found: Audit, *, by: GroupBy | None = None, seed: int = 0, name: str = CLEAN
) -> tuple[Dataset, int]:
    """Write a split in which nothing crosses, and switch to it; the old one keeps its name.

    Copies of a recording share a value in the column ``recording``, which all later splits
    and folds respect. Each group that crosses moves whole to where most of it is; if that empties
    a genre's part of a split, or if there is no split yet, a new one is made.

    Args:
        dataset: a saved dataset.
        found: its audit.
        by: what must not cross; default: artist and album, as far as they are known.
        seed: for a new split.
        name: the clean split's name.

    Returns:
        The dataset and how many tracks moved.

    Raises:
        UsageError: the groups are too few or too large for a split.
    """
    by = by or _known_groups(dataset.tracks)
    grouping.check_known(dataset.tracks, by, dataset.name)
    recordings = dict(zip(found.tracks["track_id"], found.tracks[RECORDING], strict=True))
    tracks = dataset.tracks.assign(
        **{RECORDING: dataset.tracks["track_id"].map(recordings).fillna("")}
    )
    split = _gathered(tracks, splits.groups(tracks, by))
    how: dict[str, Any] = {"made": f"cleaned, from {named_splits.current(dataset)}"}
    if not _same_genres(tracks, split):
        split = splits.make_split(tracks, by, seed)
        how = {"made": "stratified by genre", "seed": seed}
    moved = int((split != tracks["split"]).sum())
    made = replace(dataset, tracks=tracks)
    return named_splits.put(made, name, split, {**how, "grouped_by": by}), moved


def _known_groups(tracks: pd.DataFrame) -> GroupBy:
    both = [column for column in ("artist", "album") if (tracks[column] != "").any()]
    return "+".join(both) or "none"  # type: ignore[return-value]


def _gathered(tracks: pd.DataFrame, group: np.ndarray) -> pd.Series:
    """The split with every group where most of its tracks are; on a tie, training wins."""
    counts = pd.crosstab(group, tracks["split"]).reindex(columns=list(SPLITS), fill_value=0)
    home = counts.idxmax(axis=1).where(counts.sum(axis=1) > 0, "")
    return pd.Series(home.reindex(group).to_numpy(), tracks.index)


def _same_genres(tracks: pd.DataFrame, split: pd.Series) -> bool:
    """Whether every genre is still in each split it was in, and there is something to test."""
    before = pd.crosstab(tracks["genre"], tracks["split"]) > 0
    after = pd.crosstab(tracks["genre"], split).reindex(
        index=before.index, columns=before.columns, fill_value=0
    )
    return {"training", "test"} <= set(split) and not (before & (after == 0)).any(axis=None)
