"""Import from a folder of genre folders: ``PATH/<genre>/…/<track>``."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mgc.audio.audio_files import search
from mgc.datasets.importers.naming import AS_WRITTEN, NameRules, named_genres
from mgc.datasets.importers.tags import FileTags, read_tags
from mgc.datasets.remarks import SHOWN
from mgc.datasets.table import table
from mgc.errors import MgcError, UsageError


def import_folder(path: Path, rules: NameRules = AS_WRITTEN) -> pd.DataFrame:
    """One row per audio file below ``path``; the first folder, or a tag, is the genre.

    Below the genre, ``<artist>/<album>/<track>`` or ``<artist>/<track>`` give artist and album.
    Hidden files and folders are skipped. What cannot be in a table is counted by reason in
    ``attrs["left_out"]``; folders and tags that cannot be read are named in
    ``attrs["unreadable"]``. Raises UsageError if there is nothing to import, MgcError if the folder
    cannot be read.
    """
    found = search(path)
    if path in found.unreadable:
        raise MgcError(f"{found.unread()[0]}.", "Ask its owner for permission, or check the disk.")
    by_tag = "tag" in (rules.genre_from, rules.artist_from)
    rows, left_out, unread = [], Counter[str](found.left_out()), found.unread()
    for file in found.files:
        relative = file.relative_to(path)
        if any(map(_is_no_text, relative.as_posix())):
            left_out["name is not UTF-8"] += 1
            continue
        tags = read_tags(file) if by_tag else FileTags()
        unread += filter(None, [tags.problem])
        row = _row(relative, tags, rules)
        if row is None:
            left_out["tags cannot be read" if tags.problem else "in no genre folder"] += 1
        else:
            rows.append(row)
    whole = rules if rules.genre_from == "tag" else replace(rules, several="join")
    named = named_genres([row["genre"] for row in rows], whole)
    left_out.update(named.left_out)
    rows = [row | {"genre": genre} for row, genre in zip(rows, named.genres, strict=True) if genre]
    if not rows:
        raise _nothing(path, unread, left_out, rules)
    tracks = table(pd.DataFrame(rows), str(path))
    remarks = [*tracks.attrs.get("remarks", []), *named.remarks]
    if not by_tag and not rules.genre_map:
        _not_one_too_high(path, tracks)
        remarks += _remarks(path, tracks)
    tracks.attrs |= {"remarks": remarks, "left_out": dict(left_out)}
    tracks.attrs |= {"unreadable": unread} if unread else {}
    return tracks


def _nothing(
    path: Path, unread: Sequence[str], left_out: Mapping[str, int], rules: NameRules
) -> UsageError:
    """The error for a folder without a track that has a genre."""
    if next(iter(path.iterdir()), None) is None:
        said = f"{path} is empty."
    else:
        what = "audio with a genre" if rules.genre_from == "tag" else "genre folders with audio"
        why = "; ".join([*unread[:SHOWN], *(f"{what} ({n:,})" for what, n in left_out.items())])
        said = f"{path} holds no {what}{why and f': {why}'}."
    if rules.genre_from == "tag":
        return UsageError(said, "Without genres in the tags, use folders: --genre-from folder.")
    return UsageError(said, "Expected layout: PATH/rock/song.mp3, PATH/jazz/other.flac, …")


def _is_no_text(letter: str) -> bool:
    """Whether it stands for a byte of a file's name that is not UTF-8."""
    return "\ud800" <= letter <= "\udfff"


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


def _row(relative: Path, tags: FileTags, rules: NameRules) -> dict[str, Any] | None:
    """A file's names; its genre is a list of values. None if there is nothing to take it from."""
    above, genres = list(relative.parts[:-1]), list(tags.genres)
    if tags.problem if rules.genre_from == "tag" else not above:
        return None
    if rules.genre_from != "tag":
        genres = [above.pop(0)]
    if (rules.artist_from or rules.genre_from) == "tag":
        artist, album = tags.artist, tags.album
    else:  # The artist is part of an album's identity: two artists may have "Greatest Hits".
        artist, album = "".join(above[:1]), "/".join(above[:2]) if len(above) > 1 else ""
    name = relative.as_posix()
    names = {"artist": artist, "album": album, "title": tags.title or relative.stem}
    return {"track_id": name, "path": name, "genre": genres, **names}
