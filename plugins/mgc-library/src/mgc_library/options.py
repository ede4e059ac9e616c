"""Options that the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mgc import UsageError

UNKNOWN = 0.01
Unknown = Annotated[
    float,
    typer.Option(
        metavar="RATE", help="Share of music that may be lost as unknown; 0: none.", min=0
    ),
]
Write = Annotated[bool, typer.Option("--write", help="Do it, not only show it.")]


def check_folder(path: Path) -> None:
    """Raise UsageError, before anything is heard, if no folder can be there."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a folder.", "Use another --into.")
