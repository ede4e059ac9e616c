"""Where an import's names come from, and what becomes of a track with several genres.

A value holds several genres for certain if it is a repeated field, or contains NUL, ``;`` or ``|``.
``/`` and ``,`` also stand in the names of genres (R&B/Soul): they separate if one of the parts
occurs elsewhere without the others; otherwise the value is one name, and a remark says so.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from mgc.datasets.genre_map import read_genre_map
from mgc.datasets.remarks import SHOWN, letters
from mgc.errors import UsageError, counted, unknown

Source = Literal["tag", "folder"]
Several = Literal["first", "skip", "join"]
CERTAIN, POSSIBLE = r"[\0;|]", r"[/,]"  # what separates genres, as regular expressions


@dataclass(frozen=True)
class NameRules:
    """How an import names genres and artists.

    Attributes:
        genre_from: where a folder's files have their genre; None is the folder.
        artist_from: the same for artist and album; None is as for the genre.
        several: take a track's first genre, skip the track, or join the genres in one name;
            None raises if there is such a track.
        separator: the only text that separates genres; None finds out.
        genre_map: a genre as it is written → its name here; "" leaves it out.
    """

    genre_from: Source | None = None
    artist_from: Source | None = None
    several: Several | None = None
    separator: str | None = None
    genre_map: dict[str, str] | None = None


AS_WRITTEN = NameRules()


def name_rules(
    genre_from: Source | None,
    artist_from: Source | None,
    several: Several | None,
    separator: str | None,
    genre_map: Mapping[str, str] | str | os.PathLike[str] | None,
) -> NameRules:
    """The rules, with a genre map read if it is a file."""
    if isinstance(genre_map, str | os.PathLike):
        genre_map = read_genre_map(Path(genre_map))
    given = None if genre_map is None else dict(genre_map)
    return NameRules(genre_from, artist_from, several, separator, given)


@dataclass(frozen=True)
class NamedGenres:
    """One genre per track, "" if it is left out; how many are, by reason; and what to know."""

    genres: list[str]
    left_out: dict[str, int]
    remarks: list[str]


def check_rules(rules: NameRules, path: Path) -> None:
    """Raise UsageError for a rule that has no effect on this folder or table."""
    sources = {"--genre-from": rules.genre_from, "--artist-from": rules.artist_from}
    separator = {"--genre-separator": rules.separator}
    for where, holds, unused in (
        ("on a table", path.is_file(), sources),
        ("with --several join", rules.several == "join", separator),
        (
            "if folders are genres",
            path.is_dir() and rules.genre_from != "tag",
            {"--several": rules.several, **separator},
        ),
    ):
        names = [name for name, given in unused.items() if holds and given is not None]
        if names:
            raise UsageError(f"{' and '.join(names)}: no effect {where}.", "Leave it out.")


def named_genres(values: Sequence[Sequence[str]], rules: NameRules) -> NamedGenres:
    """One genre for each track, from the values of its genre field.

    Raises UsageError if tracks have several and ``rules`` do not say what becomes of them, or if
    the rules name a genre or separator that does not occur.
    """
    given = rules.genre_map or {}
    written = [list(filter(None, fields)) for fields in values]
    if rules.several == "join":
        written = [["; ".join(texts).replace("\0", "; ")] if texts else [] for texts in written]
    else:
        split = _split({text for texts in written for text in texts}, rules.separator, given)
        written = [[name for text in texts for name in split[text]] for texts in written]
    there = {name for names in written for name in names}
    if there and (absent := given.keys() - there):
        raise unknown("genre of these tracks", min(absent), there, "mgc data add --help")
    once = {
        names: _once(given.get(name, name) for name in names) for names in set(map(tuple, written))
    }
    named = [once[tuple(names)] for names in written]
    sets = Counter(", ".join(map(repr, names)) for names in named if len(names) > 1)
    if sets and rules.several is None:
        raise UsageError(
            f"{counted(sets.total(), 'track')} of {len(values):,} have several genres: "
            f"{_most(sets)}.",
            "Take the first, skip such tracks or keep each set as one name: --several "
            "first|skip|join. --genre-separator names the only text that separates genres; "
            "--genre-map FILE.toml gives other names.",
        )
    skipped = sets.total() if rules.several == "skip" else 0
    left_out = {
        "no genre": written.count([]),
        "genre that the map leaves out": sum(map(bool, written)) - sum(map(bool, named)),
        "several genres": skipped,
    }
    genres = ["" if not names or (skipped and len(names) > 1) else names[0] for names in named]
    remarks = [] if rules.several == "join" or rules.separator else list(_uncertain(written, given))
    if sets and not skipped:
        remarks.append(
            f"{counted(sets.total(), 'track')} had several genres ({_most(sets)}); the first is "
            "taken."
        )
    return NamedGenres(genres, {why: count for why, count in left_out.items() if count}, remarks)


def _split(texts: Set[str], separator: str | None, whole: Container[str]) -> dict[str, list[str]]:
    """The genres in each text; those in ``whole`` are one.

    Raises UsageError if no text contains the separator.
    """
    if (
        separator is not None
        and texts
        and not any(separator.strip() and separator in text for text in texts)
    ):
        raise UsageError(
            f"No genre contains {separator!r}.",
            "Name with --genre-separator what stands between genres, or leave it out.",
        )
    sure = CERTAIN if separator is None else rf"\0|{re.escape(separator)}"
    pieces = {text: [text] if text in whole else _parts(sure, text) for text in texts}
    sets: dict[str, set[tuple[str, ...]]] = {}
    for piece in chain.from_iterable(pieces.values()):
        parts = tuple(map(letters, _parts(POSSIBLE, piece)))
        for part in parts:
            sets.setdefault(part, set()).add(parts)

    def certain(piece: str) -> list[str]:
        parts = _parts(POSSIBLE, piece)
        apart = separator is None and any(len(sets[letters(part)]) > 1 for part in parts)
        return parts if apart and piece not in whole else [piece]

    return {text: [*chain.from_iterable(map(certain, found))] for text, found in pieces.items()}


def _parts(separator: str, text: str) -> list[str]:
    """What stands between separators; the text itself if that is nothing."""
    return list(filter(None, map(str.strip, re.split(separator, text)))) or [text]


def _once(names: Iterable[str]) -> list[str]:
    """The names without repetitions, spelling aside, and without ""."""
    found: dict[str, str] = {}
    for name in filter(None, names):
        found.setdefault(letters(name) or name, name)
    return list(found.values())


def _uncertain(written: Sequence[Sequence[str]], given: Mapping[str, str]) -> Iterator[str]:
    """A remark about names that might be several genres, if there are any."""
    kept = Counter(
        repr(name)
        for names in written
        for name in names
        if name not in given and len(_parts(POSSIBLE, name)) > 1
    )
    if kept:
        yield (
            f"Each of these is taken for one genre: {_most(kept)}. If they are several: "
            "--genre-separator."
        )


def _most(names: Counter[str]) -> str:
    """The most frequent names, with their numbers of tracks."""
    shown = "; ".join(f"{name} ({count:,})" for name, count in names.most_common(SHOWN))
    return f"{shown}; and {len(names) - SHOWN:,} more" if len(names) > SHOWN else shown
