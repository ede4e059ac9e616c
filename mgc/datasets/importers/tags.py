"""What audio files say about themselves in their tags, as tinytag reads them, or else in APE."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tinytag import TinyTag, TinyTagException, UnsupportedFormatError

from mgc.audio.byte_ranges import content
from mgc.audio.sound_length import before_tags

_APE_HEADER = 32  # bytes, of a footer too
_APE_KIND = 6  # the bits of an item's flags that are 0 if it is text


@dataclass(frozen=True)
class FileTags:
    """The tags that an import uses; "" or no genre if there is none.

    ``artist`` is that of the track, or else of the album; an album's identity includes its artist,
    because two artists may have "Greatest Hits". ``problem`` says why there are no tags.
    """

    genres: tuple[str, ...] = ()
    artist: str = ""
    album: str = ""
    title: str = ""
    problem: str = ""


def read_tags(path: Path) -> FileTags:
    """The tags of a file, or why they cannot be read."""
    try:
        if not path.is_file():
            raise OSError("it is no file")
        ape, found = _ape(path), TinyTag()
        try:
            found = TinyTag.get(path, duration=False)
        except UnsupportedFormatError:
            if not ape:
                raise
    except (TinyTagException, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return FileTags(problem=f"{path}: its tags cannot be read ({reason}).")
    artist, band, album, title = (
        (name or ape.get(field, "")).replace("\0", " ").strip()
        for name, field in (
            (found.artist, "artist"),
            (found.albumartist, "album artist"),
            (found.album, "album"),
            (found.title, "title"),
        )
    )
    genres = [found.genre or ape.get("genre", ""), *found.other.get("genre", [])]
    return FileTags(
        tuple(map(str.strip, genres)),
        artist or band,
        album and f"{band or artist}/{album}",
        title,
    )


def _ape(path: Path) -> dict[str, str]:
    """The texts of an APE tag by their names in lower case; several values have NUL in between.

    Its end says how long its items are: length, flags, name, NUL and value. Raises OSError and
    ValueError.
    """
    found: dict[str, str] = {}
    with suppress(struct.error), content(path) as whole:
        end = whole.rfind(b"APETAGEX", before_tags(whole))
        at = end - struct.unpack_from("<I", whole, end + 12)[0] + _APE_HEADER if end > 0 else end
        while 0 <= at < end:
            length, flags = struct.unpack_from("<II", whole, at)
            value = whole.find(b"\0", at + 8, end) + 1
            if not value:
                break
            name, at = whole[at + 8 : value - 1].decode("latin-1").lower(), value + length
            if not flags & _APE_KIND:
                found[name] = whole[value:at].decode("utf-8", "replace")
    return found
