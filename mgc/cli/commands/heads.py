"""``mgc heads``."""

from __future__ import annotations

from typing import Annotated

import typer

from mgc.cli.ui import output, plugin_list
from mgc.cli.ui.options import Settings

app = typer.Typer(no_args_is_help=True, help="Classifier heads: what turns features into genres.")


@app.command("list")
def list_heads(as_json: output.JsonOption = False) -> None:
    """List the heads, built-in and installed."""
    plugin_list.show_list("head", as_json)


@app.command("show")
def show(
    name: str,
    extractor: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="EXTRACTOR",
            help="Show layers and costs for the features of this extractor.",
        ),
    ] = None,
    genres: Annotated[int, typer.Option(help="Number of genres, with --for.", min=2)] = 8,
    settings: Settings = None,
    as_json: output.JsonOption = False,
) -> None:
    """Show a head and its parameters, or (--for) its layers, parameters and multiply-adds."""
    if extractor is None:
        plugin_list.show_one("head", name, as_json)
        return
    from mgc.fitting import inspection

    text = inspection.head_for(name, extractor, settings or [], genres)
    if as_json:
        output.emit_json({"head": name, "extractor": extractor, "layers": text.splitlines()})
    else:
        output.say(text)
