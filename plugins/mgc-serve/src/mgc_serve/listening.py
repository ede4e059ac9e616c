"""Options of the commands that serve: where to listen, and who may ask."""

from __future__ import annotations

from typing import Annotated

import typer

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)]
Token = Annotated[
    str,
    typer.Option(
        help="What every request must bring; needed on an address that others reach.",
        envvar="MGC_SERVE_TOKEN",
    ),
]
