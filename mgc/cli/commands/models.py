"""``mgc models``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mgc.cli.ui import options, output, plugin_list

app = typer.Typer(no_args_is_help=True, help="Ready-made models, which need no training.")


@app.command("list")
def list_models(as_json: output.JsonOption = False) -> None:
    """List the ready-made models of the installed packages."""
    plugin_list.show_list("model", as_json)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="A model: mgc models list.")],
    source: Annotated[Path | None, options.source_file("Take it from a file that is here.")] = None,
) -> None:
    """Make a ready-made model ready to predict; it may download files."""
    from mgc.plugins.licences import limits
    from mgc.prediction import ready_models

    run = ready_models.get(name, source)
    output.say(f"{name}: ready, {len(run.genres)} genres: {', '.join(run.genres)}.")
    for line in limits(name, ready_models.ModelSpec(name).info.licence):
        output.note(line)
    output.note(f"Next: mgc predict FILE_OR_FOLDER --run {name}")
