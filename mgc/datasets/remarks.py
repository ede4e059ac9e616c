"""What is odd about a dataset's genres, files or divisions, in words; none of it is an error."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence

import pandas as pd

from mgc.datasets.splits import HELD_OUT, SHARES, Fold
from mgc.datasets.table import SPLITS, Dataset
from mgc.errors import counted

#: Genres that other programs write for "there is none", as `letters` makes them.
NO_GENRE = frozenset(
    [
        *("", "nan", "none", "null", "nil", "na", "unknown", "unknowngenre", "undefined"),
        *("missing", "unclassified", "unspecified", "untagged", "notavailable", "nogenre"),
        *("tbd", "todo"),
    ]
)
SHOWN = 3  # sets of look-alikes


def remarks(dataset: Dataset) -> list[str]:
    """All remarks about a dataset, those of its import included."""
    tracks = dataset.tracks
    found = [*dataset.record.get("remarks", []), *about_names(tracks), *about_files(tracks)]
    if dataset.record.get("split", {}).get("seed") is not None:
        rows = {name: (tracks["split"] == name).to_numpy().nonzero()[0] for name in SPLITS}
        found += about_folds(tracks, [Fold(0, **rows)], SHARES)
    return found


def about_names(tracks: pd.DataFrame) -> list[str]:
    """Genres that are no genres, and genres and artists that differ in spelling only."""
    sizes = tracks["genre"].value_counts().sort_index()
    found = [
        f"The genre {genre!r} ({_tracks(count)}) is learnt and scored like any other. If it means "
        "that there is none, leave it empty in the table, or remove these files."
        for genre, count in sizes.items()
        if letters(str(genre)) in NO_GENRE
    ]
    for column in ("genre", "artist"):
        counts = tracks[column].value_counts()
        alike = [
            ", ".join(f"{name!r} ({_tracks(counts[name])})" for name in names)
            for names in _alike(tracks[column])
        ]
        more = f"; and {len(alike) - SHOWN:,} more sets" if len(alike) > SHOWN else ""
        if alike:
            found.append(
                f"{column.title()}s that differ in spelling only count as several: "
                f"{'; '.join(alike[:SHOWN])}{more}."
                + " To make them one: mgc data add … --genre-map FILE.toml."
                * (column == "genre")
            )
    return found


def about_files(tracks: pd.DataFrame) -> list[str]:
    """Files that are in the table more than once."""
    path = tracks["path"].map(os.path.normpath)
    twice = path[path.duplicated()].unique()
    if not len(twice):
        return []
    genres = " and ".join(tracks.loc[path == twice[0], "genre"])
    return [
        f"{len(twice):,} file{' is' if len(twice) == 1 else 's are'} in the table more than once, "
        f"for example {twice[0]} (as {genres}): see mgc data audit."
    ]


def about_folds(
    tracks: pd.DataFrame, folds: Sequence[Fold], shares: Sequence[float] | None = None
) -> list[str]:
    """What makes folds or a split hard to learn from or to trust.

    Args:
        tracks: the table that the folds' row numbers refer to.
        folds: the folds; a split is a single one.
        shares: of training, validation and test, that were asked for; None if nobody asked.
    """
    return [remark for fold in folds for remark in _about_fold(tracks, fold, len(folds), shares)]


def fold_shares(count: int) -> tuple[float, float, float]:
    """The shares of training, validation and test in each of ``count`` folds."""
    rest = 1 - 1 / count
    return rest * (1 - HELD_OUT), rest * HELD_OUT, 1 / count


def _about_fold(
    tracks: pd.DataFrame, fold: Fold, count: int, shares: Sequence[float] | None
) -> Iterator[str]:
    name = f"Fold {fold.number + 1}" if count > 1 else "The split"
    parts = {part: getattr(fold, part) for part in SPLITS}
    genre = tracks["genre"].to_numpy(dtype=str)
    for absent in sorted(set(genre[fold.test]) - set(genre[fold.training])):
        tested = int((genre[fold.test] == absent).sum())
        yield f"{name} has no training track of {absent}, but is tested on {_tracks(tested)} of it."
    if len(fold.validation) > len(fold.training):
        yield (
            f"{name} has a validation part of {_tracks(len(fold.validation))}, larger than its "
            f"training part ({len(fold.training):,})."
        )
    total = sum(map(len, parts.values()))
    for (part, rows), share in zip(parts.items(), shares or (), strict=shares is not None):
        if not share * total / 2 <= len(rows) <= 2 * share * total:
            yield (
                f"{name} has {_tracks(len(rows))} of {total:,} in its {part} part: "
                f"{100 * len(rows) / total:.0f} %, where {100 * share:.0f} % were asked for."
            )


def _alike(names: pd.Series) -> list[list[str]]:
    """Sets of names that look or sound the same."""
    there = pd.Series(sorted(set(names) - {""}), dtype=object)
    key = there.map(letters).where(lambda letters: letters != "", there)
    several = key.duplicated(keep=False)
    return [list(same) for _, same in there[several].groupby(key[several])]


def letters(name: str) -> str:
    """A name without case, accents, punctuation and spaces: ``Hip-Hop`` → ``hiphop``."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    plain = re.sub(r"[&+]|'n'|(?<=\s)n(?=\s)", "and", plain)
    return re.sub(r"[\W_]+", "", "".join(c for c in plain if not unicodedata.combining(c)))


def _tracks(count: int) -> str:
    return counted(count, "track")
