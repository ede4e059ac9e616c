"""``mgc strategies``."""

from __future__ import annotations

import typer

from mgc.cli.ui import plugin_list
from mgc.cli.ui.output import JsonOption

app = typer.Typer(
    no_args_is_help=True, help="Ensemble strategies: how several runs decide together."
)


@app.command("list")
def list_strategies(as_json: JsonOption = False) -> None:
    """List the strategies, built-in and installed."""
    plugin_list.show_list("strategy", as_json)


@app.command("show")
def show(name: str, as_json: JsonOption = False) -> None:
    """Show a strategy and its parameters."""
    plugin_list.show_one("strategy", name, as_json)
