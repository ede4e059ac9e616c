"""Which genre of ours a genre of another collection is: by its name, or by a file.

The file is TOML: under ``[genres]`` each line is ``"theirs" = "ours"``; ``""`` leaves a genre out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mgc.datasets.remarks import letters
from mgc.errors import MgcError, UsageError, unknown

MAX_BYTES = 1 << 20
EXAMPLE = 'For example: [genres], then a line such as "Hip-Hop/Rap" = "hiphop".'


def read_genre_map(path: Path) -> dict[str, str]:
    """Their genre → ours. Raises UsageError if the file is not a genre map."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("it is larger than 1 MiB")
        genres = tomllib.loads(path.read_text(encoding="utf-8")).get("genres")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path} cannot be read: {reason}.", EXAMPLE) from error
    if not isinstance(genres, dict) or not genres:
        raise UsageError(f"{path} has no table [genres].", EXAMPLE)
    if odd := [name for name, ours in genres.items() if not isinstance(ours, str)]:
        raise UsageError(f"{path}: {odd[0]!r} is not given one genre's name.", EXAMPLE)
    return genres


def matched(
    theirs: Iterable[str], ours: Sequence[str], given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Their genre → ours, for those that have one; "" leaves one out.

    ``given`` decides; a genre that it does not name is matched by its name, whatever its case,
    accents, punctuation and spaces, unless two of ours differ only in these.

    Raises:
        UsageError: ``given`` names a genre that is not there, or not ours.
        MgcError: nothing matches.
    """
    theirs, given = sorted(theirs), given or {}
    for name, our in given.items():
        if name not in theirs:
            raise unknown("genre of the other collection", name, theirs, "mgc data show NAME")
        if our and our not in ours:
            raise unknown("genre of the run", our, ours, "mgc runs show NAME")
    plain: dict[str, list[str]] = {}
    for genre in ours:
        plain.setdefault(letters(genre) or genre, []).append(genre)
    found = {}
    for name in theirs:
        alike = [name] if name in ours else plain.get(letters(name) or name, [])
        if our := given.get(name, alike[0] if len(alike) == 1 else ""):
            found[name] = our
    if not found:
        raise MgcError(
            f"No genre is in both: {', '.join(theirs[:8])} there, {', '.join(ours[:8])} here.",
            "Say which is which in a file, with --genre-map FILE.toml.",
        )
    return found
