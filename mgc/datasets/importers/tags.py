"""What audio files say about themselves in their tags, as tinytag reads them (not APE)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinytag import TinyTag, TinyTagException


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
        found = TinyTag.get(path, duration=False)
    except (TinyTagException, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return FileTags(problem=f"{path}: its tags cannot be read ({reason}).")
    artist, band, album, title = (
        (name or "").replace("\0", " ").strip()
        for name in (found.artist, found.albumartist, found.album, found.title)
    )
    return FileTags(
        tuple(map(str.strip, [found.genre or "", *found.other.get("genre", [])])),
        artist or band,
        album and f"{band or artist}/{album}",
        title,
    )
