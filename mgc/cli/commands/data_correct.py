"""``mgc data correct``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from mgc.cli.ui import output
from mgc.errors import UsageError


def correct(
    name: Annotated[str, typer.Argument(help="The dataset.")],
    corrections: Annotated[
        str | None,
        typer.Argument(help="A table of corrections, or its .jsonl file (default: NAME)."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="TRACK=GENRE", help="First add this correction (repeatable)."
        ),
    ] = None,
    several: Annotated[
        Literal["first", "skip"],
        typer.Option(help="Tracks with several genres: take the first, or leave them out."),
    ] = "skip",
    split: Annotated[
        str | None,
        typer.Option(help="Also correct test tracks, and make a new split of this name."),
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Give a dataset the labels that people corrected (mgc review, or --set)."""
    if assignments and corrections:
        raise UsageError("--set adds to the table NAME.", "Leave CORRECTIONS out.")
    import mgc

    if assignments:
        pairs = [text.rpartition("=") for text in assignments]
        if odd := [text for text, pair in zip(assignments, pairs, strict=True) if not pair[0]]:
            raise UsageError(f"{odd[0]!r} is not TRACK=GENRE.", "Such as: --set 0042=jazz")
        made = mgc.datasets.correct(
            name, {track: genre for track, _, genre in pairs}, several=several, split=split
        )
    else:
        made = mgc.datasets.correct(name, corrections, several=several, split=split)
    found = made.record["corrections"]
    if as_json:
        output.emit_json({"name": name, **found})
        return
    output.say(f"{name}: {words(found)}")
    if waiting := found["test_tracks_waiting"]:
        output.note(
            f"{output.count(waiting, 'test track')} of the split in use stayed as they were, so "
            "that runs before and after can be compared. To correct them too: --split NAME"
        )
    if unknown := found["unknown_tracks"]:
        output.note(f"{output.count(unknown, 'answer')} about tracks that are not in {name}.")


def words(found: Mapping[str, Any]) -> str:
    """What was corrected, in one line."""
    return (
        f"{output.count(found['changed'], 'label')} corrected, "
        f"{output.count(found['left_out'], 'track')} left out, by {found['table']}"
    )
