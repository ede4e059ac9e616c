"""How ``mgc runs verify`` and ``mgc features verify`` show what they found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from mgc.cli.ui import output
from mgc.home import Verification

AddOption = Annotated[
    bool, typer.Option("--add", help="Give what has no checksum one, as it is now.")
]


def show(kind: str, found: Sequence[tuple[str, Verification]], remedy: str, as_json: bool) -> None:
    """Print what was found in each run or store. Ends the command with exit code 1 if anything is
    damaged."""
    if as_json:
        output.emit_json([{kind: name, **vars(one)} for name, one in found])
    else:
        rows = [(name, one.verified, len(one.unverified), len(one.damaged)) for name, one in found]
        output.show_table([kind, "verified", "unverified", "damaged"], rows, "lr")
    damaged = [f"{name}: {line}" for name, one in found for line in one.damaged]
    if damaged:
        output.list_failures(damaged)
        output.note(remedy)
        raise typer.Exit(1)
    if not as_json and any(one.unverified for _, one in found):
        output.note("Unverified: written by a version without checksums; --add gives them one.")
