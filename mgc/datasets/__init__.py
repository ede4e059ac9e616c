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
    from mgc.datasets.table import Dataset
    from mgc.progress import Progress

__all__ = ["add", "load", "names"]


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


def load(name: str) -> Dataset:
    """A dataset by name. Raises UsageError for an unknown name, MgcError for damage."""
    from mgc.datasets import table

    return table.load(name)


def names() -> list[str]:
    """The names of all datasets in the home folder."""
    from mgc.datasets import table

    return table.names()
