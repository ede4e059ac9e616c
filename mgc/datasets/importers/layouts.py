"""Tells a folder that is not one of genre folders from its layout, before anything is imported."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from mgc.datasets.importers import facts
from mgc.errors import UsageError

TABLES = ("tracks.csv", "tracks.tsv", "tracks.parquet")
#: Names of folders that divide files by something other than genre.
NOT_GENRES = frozenset(
    (
        *("audio", "data", "music", "songs", "tracks", "clips", "files", "metadata", "images"),
        *("mp3", "wav", "flac", "ogg", "train", "training", "valid", "validation", "val", "test"),
    )
)


def check_layout(name: str, path: Path) -> None:
    """Raise UsageError, with the command to use, if a folder holds no genre folders."""
    path = path.expanduser()
    inner = _folders(path)
    for place in [path, *(path / folder for folder in inner if folder.lower().startswith("fma"))]:
        if subset := _fma_subset(place, _folders(place)):
            raise UsageError(
                f"{place} has the layout of FMA.",
                f"Run: mgc data add fma-{subset} --path {_quoted(place)} --as {name}",
            )
    nested = [path / folder for folder in facts.GTZAN_FOLDERS]
    if any(len({*_folders(place)} & {*facts.GTZAN_GENRES}) > 1 for place in nested):
        raise UsageError(
            f"{path} has the layout of GTZAN.",
            f"Run: mgc data add gtzan --path {_quoted(path)} --as {name}",
        )
    odd = [folder for folder in inner if folder.lower() in NOT_GENRES]
    table = next((path / table for table in TABLES if (path / table).is_file()), None)
    if table and (odd or len(inner) < 2):
        raise UsageError(
            f"There is a {table.name} in {path}.", f"Run: mgc data add {name} {_quoted(table)}"
        )
    if odd:
        _explain(path, inner, odd)


def _explain(path: Path, inner: list[str], odd: list[str]) -> None:
    """Refuse folders that are not genres; say which one the genre folders are in, if one is."""
    below = [folder for folder in odd if len(_folders(path / folder)) > 1]
    hint = "Give a folder of genre folders, or a table with the columns path and genre."
    if len(below) == 1:
        genres = ", ".join(_folders(path / below[0])[:3])
        hint = f"Are the genres {genres}, …? Then give {_quoted(path / below[0])}"
    elif len(inner) > len(odd):
        hint = f"If {' and '.join(odd)} are genres, give them other names. {hint}"
    raise UsageError(f"{path} holds {' and '.join(odd)}: these are not genres.", hint)


def _fma_subset(path: Path, inner: list[str]) -> str:
    """The smallest subset whose folder is there (``fma_small``, or the path itself); "" if none."""
    for subset in facts.FMA_SUBSETS:
        if f"fma_{subset}" in [*inner, path.name]:
            return subset
    clips = sum(bool(re.fullmatch(r"\d{3}", folder)) for folder in inner)
    return "small" if clips > 1 and clips >= len(inner) - 1 else ""


def _folders(path: Path) -> list[str]:
    """The folders in a folder, sorted, without hidden ones; none if it cannot be read."""
    try:
        found = [e.name for e in os.scandir(path) if e.is_dir() and not e.name.startswith(".")]
    except OSError:
        return []
    return sorted(found)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
