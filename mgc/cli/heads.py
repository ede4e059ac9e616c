"""``mgc heads``."""

from __future__ import annotations

import typer

from mgc.cli import catalogue
from mgc.cli.output import JsonOption

app = typer.Typer(no_args_is_help=True, help="Classifier heads: what turns features into genres.")


@app.command("list")
def list_heads(as_json: JsonOption = False) -> None:
    """List the heads, built in and installed."""
    catalogue.show_list("head", as_json)


@app.command("show")
def show(name: str, as_json: JsonOption = False) -> None:
    """Show a head and its parameters."""
    catalogue.show_one("head", name, as_json)
