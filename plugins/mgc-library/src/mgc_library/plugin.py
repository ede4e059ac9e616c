"""Declares the commands. mgc reads this for its help page: import nothing but mgc here."""

from collections.abc import Iterator

from mgc import CommandInfo, hookimpl

PANEL = "Your library"


@hookimpl
def mgc_commands() -> Iterator[CommandInfo]:
    """What this package brings."""
    yield CommandInfo(
        name="tag",
        summary="Write genres into the tags of a music library, or undo that",
        load="mgc_library.tag:tag",
        panel=PANEL,
    )
    yield CommandInfo(
        name="playlist",
        summary="Make playlists by genre, or of what sounds like a song",
        load="mgc_library.playlist:playlist",
        panel=PANEL,
    )
    yield CommandInfo(
        name="sort",
        summary="Put a music library into folders by genre, artist and title",
        load="mgc_library.sort:sort",
        panel=PANEL,
    )
