"""Options that the commands share."""

from __future__ import annotations

from typing import Annotated

import typer

UNKNOWN = 0.01
Unknown = Annotated[
    float,
    typer.Option(
        metavar="RATE", help="Share of music that may be lost as unknown; 0: none.", min=0
    ),
]
Write = Annotated[bool, typer.Option("--write", help="Do it, not only show it.")]
