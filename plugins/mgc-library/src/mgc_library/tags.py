"""The tags of a file that matter here, read and written by mediafile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mediafile
from mutagen import MutagenError
from mutagen.apev2 import APEv2

from mgc import AudioError

GENRES, PROBABILITY = "mgc_genres", "mgc_probability"


class _File(mediafile.MediaFile):  # type: ignore[misc]
    """A media file with mgc's own fields."""


def _own_field(name: str) -> mediafile.ListMediaField:
    return mediafile.ListMediaField(
        mediafile.MP3ListDescStorageStyle(name),
        mediafile.MP4ListStorageStyle(f"----:com.apple.iTunes:{name}"),
        mediafile.ListStorageStyle(name),
        mediafile.ASFStorageStyle(name.replace("_", "/")),
    )


_File.add_field(GENRES, _own_field("MGC_GENRE"))
_File.add_field(PROBABILITY, _own_field("MGC_PROBABILITY"))


@dataclass(frozen=True)
class Tags:
    """What a file says about itself; "" or nothing if it does not."""

    genres: tuple[str, ...] = ()
    artist: str = ""
    album: str = ""
    title: str = ""
    own_genres: tuple[str, ...] = ()


def read(path: Path) -> Tags:
    """The tags of a file. Raises AudioError if tags cannot be read from, or written to, it."""
    file, ape = _opened(path), _ape(path)
    genres = file.genres or (ape or {}).get("Genre", ())
    return Tags(
        tuple(genre for genre in genres if genre.strip()),
        file.artist or "",
        file.album or "",
        file.title or "",
        tuple(getattr(file, GENRES) or ()),
    )


def write(path: Path, genres: Sequence[str]) -> None:
    """Set the genres of a file, as repeated values where its tags can hold them.

    An mp3 that has an APE tag too gets them in both. Raises AudioError.
    """
    file = _opened(path)
    file.genres = list(genres)
    _save(file, path)
    if (ape := _ape(path)) is not None:
        ape["Genre"] = list(genres)
        ape.save(path)


def write_own(path: Path, genres: Sequence[str], probability: float) -> None:
    """Set mgc's own fields of a file. Raises AudioError."""
    file = _opened(path)
    setattr(file, GENRES, list(genres))
    setattr(file, PROBABILITY, [f"{probability:.3f}"])
    _save(file, path)


def _ape(path: Path) -> Any:
    """The APE tag of an mp3, which mediafile does not read; None if there is none."""
    try:
        return APEv2(path) if path.suffix.lower() == ".mp3" else None  # type: ignore[no-untyped-call]
    except (MutagenError, OSError, ValueError):  # none, or one that is not readable
        return None


def _opened(path: Path) -> Any:
    try:
        return _File(path)
    except mediafile.FileTypeError as error:
        raise AudioError(f"{path}: tags cannot be written to this kind of file.") from error
    except (mediafile.UnreadableFileError, MutagenError, OSError, ValueError) as error:
        raise AudioError(f"{path}: its tags cannot be read ({error}).") from error


def _save(file: Any, path: Path) -> None:
    try:
        file.save()
    except (mediafile.UnreadableFileError, MutagenError, OSError, ValueError) as error:
        raise AudioError(f"{path}: its tags cannot be written ({error}).") from error
