"""Declares the commands. mgc reads this for its help page: import nothing but mgc here."""

from collections.abc import Iterator

from mgc import CommandInfo, hookimpl

PANEL = "In the browser"


@hookimpl
def mgc_commands() -> Iterator[CommandInfo]:
    """What this package brings."""
    yield CommandInfo(
        name="serve",
        summary="Open a local page: drop songs, see and hear their genres; an HTTP API too",
        load="mgc_serve.serve:serve",
        panel=PANEL,
    )
    yield CommandInfo(
        name="review",
        summary="Hear and correct a dataset's doubtful labels in the browser",
        load="mgc_serve.review.command:review",
        panel=PANEL,
    )
