"""Import from a folder of genre folders: ``PATH/<genre>/…/<track>``."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mgc.audio.audio_files import search
from mgc.datasets.table import table
from mgc.errors import MgcError, UsageError


def import_folder(path: Path) -> pd.DataFrame:
    """One row per audio file below ``path``; the first folder is the genre.

    Below the genre, ``<artist>/<album>/<track>`` or ``<artist>/<track>`` give artist and album.
    Hidden files and folders are skipped. What cannot be in a table is counted by reason in
    ``attrs["left_out"]``; folders that cannot be read are named in ``attrs["unreadable"]``. Raises
    UsageError if there is nothing to import, MgcError if the folder cannot be read.
    """
    found = search(path)
    if path in found.unreadable:
        raise MgcError(f"{found.unread()[0]}.", "Ask its owner for permission, or check the disk.")
    rows, left_out = [], Counter[str](found.left_out())
    for file in found.files:
        row = _row(file.relative_to(path))
        if row is None:
            left_out["in no genre folder"] += 1
        elif not _is_text(row["path"]):
            left_out["name is not UTF-8"] += 1
        else:
            rows.append(row)
    if not rows:
        empty = next(iter(path.iterdir()), None) is None
        why = "; ".join([*found.unread(), *(f"{what} ({n:,})" for what, n in left_out.items())])
        raise UsageError(
            f"{path} is empty."
            if empty
            else f"{path} holds no genre folders with audio{why and f': {why}'}.",
            "Expected layout: PATH/rock/song.mp3, PATH/jazz/other.flac, …",
        )
    tracks = table(pd.DataFrame(rows), str(path))
    _not_one_too_high(path, tracks)
    tracks.attrs["remarks"] = [*tracks.attrs.get("remarks", []), *_remarks(path, tracks)]
    tracks.attrs["left_out"] = dict(left_out)
    tracks.attrs |= {"unreadable": found.unread()} if found.unreadable else {}
    return tracks


def _is_text(name: str) -> bool:
    """Whether a file's name can be written: bytes other than UTF-8 cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_one_too_high(path: Path, tracks: pd.DataFrame) -> None:
    """Report it if the only folder is not a genre but the parent of the genre folders."""
    genres = tracks["genre"].unique()
    inner = tracks.loc[tracks["artist"] != "", "artist"].unique()
    if len(genres) == 1 and len(inner) > 1:
        raise UsageError(
            f"{path} holds a single folder, {genres[0]}: one genre is nothing to classify.",
            f"Are the genres {', '.join(sorted(inner)[:3])}, …? Then give {path / genres[0]}",
        )


def _remarks(path: Path, tracks: pd.DataFrame) -> Iterator[str]:
    """What the folders look like if not genres of anyone's own music."""
    named = [
        re.fullmatch(rf"{re.escape(genre)}\.\d{{5}}", title) is not None
        for genre, title in zip(tracks["genre"], tracks["title"], strict=True)
    ]
    if 2 * sum(named) > len(named):
        command = f"mgc data add gtzan --path {shlex.quote(str(path))}"
        yield f"The files are named as in GTZAN, whose faults and artists {command} knows."
    pairs = tracks.loc[tracks["artist"] != "", ["genre", "artist"]].drop_duplicates()
    counts = pairs["artist"].value_counts()
    if len(counts) and counts.median() > 1:
        repeated = ", ".join(sorted(counts.index[counts > 1])[:3])
        yield (
            f"Most folders of the second level ({repeated}, …) occur in several of the first, "
            "which are taken for the genres. If the second level holds the genres, give a table "
            "with the columns path, genre and artist."
        )


def _row(relative: Path) -> dict[str, str] | None:
    parts = relative.parts
    if len(parts) < 2:
        return None  # a file outside the genre folders has no genre
    genre, between = parts[0], parts[1:-1]
    return {
        "track_id": relative.as_posix(),
        "path": relative.as_posix(),
        "genre": genre,
        "artist": between[0] if between else "",
        # The artist is part of an album's identity: two artists may have "Greatest Hits".
        "album": "/".join(between[:2]) if len(between) > 1 else "",
        "title": relative.stem,
    }
