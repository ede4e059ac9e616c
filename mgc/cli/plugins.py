"""``mgc plugins``."""

from __future__ import annotations

import typer

from mgc.cli import output
from mgc.cli.catalogue import describe
from mgc.cli.output import JsonOption

app = typer.Typer(no_args_is_help=True, help="Plug-in packages: what is installed, and its state.")


@app.command("list")
def list_plugins(as_json: JsonOption = False) -> None:
    """List the plug-in packages, what each brings, and what is wrong with it."""
    from mgc import registry

    plugins = registry.catalogue().plugins
    if as_json:
        output.emit_json(
            [
                {
                    "name": plugin.name,
                    "module": plugin.module,
                    "distribution": plugin.distribution,
                    "version": plugin.version,
                    "status": plugin.status,
                    "problem": plugin.problem,
                    "hint": plugin.hint,
                    "brings": [describe(entry) | {"kind": entry.kind} for entry in plugin.entries],
                }
                for plugin in plugins
            ]
        )
        return
    rows = [
        (p.distribution, p.version, ", ".join(f"{e.info.name}" for e in p.entries), p.status)
        for p in plugins
    ]
    output.show_table(["package", "version", "brings", "status"], rows)
    for plugin in plugins:
        if plugin.problem:
            output.say(f"{plugin.distribution} ({plugin.module}): {plugin.problem}. {plugin.hint}")
        for entry in plugin.entries:
            if entry.problem:
                output.say(
                    f"{plugin.distribution}: {entry.kind} {entry.info.name}: {entry.problem}. "
                    f"{entry.hint}"
                )
