"""Datasets: tables of tracks with genre and split. They know nothing about features or models.

The functions here are public (``mgc.datasets.add``); importing the package is light.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mgc.errors import UsageError

if TYPE_CHECKING:
    from mgc.datasets.corrections import Corrections
    from mgc.datasets.table import Dataset
    from mgc.progress import Progress

__all__ = ["add", "correct", "corrections_of", "load", "names"]


def add(
    name: str,
    path: str | os.PathLike[str] | None = None,
    *,
    group_by: Literal["artist", "album", "artist+album", "none"] | None = None,
    seed: int = 0,
    drop_rare: bool = False,
    genre_from: Literal["tag", "folder"] | None = None,
    artist_from: Literal["tag", "folder"] | None = None,
    several: Literal["first", "skip", "join"] | None = None,
    genre_separator: str | None = None,
    genre_map: Mapping[str, str] | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Add a dataset under a name and return it; the audio stays where it is.

    Args:
        name: the name it will have: lower-case letters, digits, ``-``, ``_`` and ``.``.
        path: a folder of genre folders, or a table (CSV, Parquet) that names files and genres;
            None synthesises the demo's music instead.
        group_by: whose tracks stay in one split; None is the artist if artists are known.
        seed: for the split, if the table has none.
        drop_rare: leave out genres with too few tracks, instead of raising.
        genre_from: where the files of a folder have their genre; None is the folder's name.
        artist_from: the same for artist and album; None is as for the genre.
        several: of a track with several genres, take the first, skip the track, or join them in
            one name; None raises.
        genre_separator: what alone separates genres in a tag or cell; None finds out.
        genre_map: a genre as it is written → its name here, or a file with that; see
            `mgc.datasets.genre_map`.
        progress: informed about the synthesis.

    Raises:
        UsageError: the path or the name cannot be used, or there are too few tracks.
    """
    from mgc.datasets.importers import importing
    from mgc.datasets.importers.naming import AS_WRITTEN, name_rules

    rules = name_rules(genre_from, artist_from, several, genre_separator, genre_map)
    if path is None:
        if rules != AS_WRITTEN:
            raise UsageError("The demo has genres of its own.", "Leave these arguments out.")
        return importing.add_demo(name, seed=seed, progress=progress)
    return importing.add_path(
        name, Path(path), group_by=group_by, seed=seed, drop_rare=drop_rare, rules=rules
    )


def correct(
    name: str,
    corrections: Mapping[str, str] | str | os.PathLike[str] | None = None,
    *,
    several: Literal["first", "skip"] = "skip",
    split: str | None = None,
) -> Dataset:
    """Give a dataset the labels that people corrected, and return it.

    Labels of the test tracks of the split in use stay as they are, and so do those that were left
    out, unless a new split is named: runs before and after are then tested by the same labels.

    Args:
        name: the dataset.
        corrections: the name of a table of corrections, or its file (.jsonl); None is the one with
            the dataset's name. Track ids → genres are added to that one first.
        several: tracks that were said to have several genres get the ``first`` of them, or are
            left out (``skip``).
        split: the name of a new split, made from the corrected labels, that is then in use.

    Raises:
        UsageError: a genre, track or name is unknown.
        MgcError: the table is damaged.
    """
    from mgc.datasets import correcting, table

    dataset = table.load(name)
    if isinstance(corrections, Mapping):
        correcting.say(dataset, corrections)
        corrections = None
    found = corrections_of(name if corrections is None else corrections)
    return correcting.correct(dataset, found, several, split)


def corrections_of(name: str | os.PathLike[str]) -> Corrections:
    """The table of corrections of a name, or of a file (.jsonl): what was said, and to say more."""
    from mgc.datasets.corrections import Corrections

    return Corrections(name)


def load(name: str) -> Dataset:
    """A dataset by name. Raises UsageError for an unknown name, MgcError for damage."""
    from mgc.datasets import table

    return table.load(name)


def names() -> list[str]:
    """The names of all datasets in the home folder."""
    from mgc.datasets import table

    return table.names()
