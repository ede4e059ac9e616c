"""Writes the parts of the documents that follow from the code; cog puts them in their place.

``make docs`` renews them, ``make lint`` fails where they are out of date.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import typer

from mgc.cli.app import build
from mgc.plugins import registry
from mgc.plugins.contract import LISTINGS
from mgc.plugins.distributions import BUILTIN_OWNER


def commands() -> None:
    """Print the help of every command, as a pipe sees it."""
    for words in _commands(build(), ()):
        print(f"## mgc {' '.join(words)}\n")
        print(f"```text\n{_help(words)}\n```\n")


def _commands(group: typer.Typer, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for command in group.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        yield (*before, name)
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            yield from _commands(inner.typer_instance, (*before, str(inner.name)))


def _help(words: tuple[str, ...]) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        build(words[:1])([*words, "--help"], prog_name="mgc", terminal_width=90)
    return "\n".join(line.rstrip() for line in said.getvalue().strip().splitlines())


def plugins(kind: str) -> None:
    """Print the table of what ships of a kind of plug-in."""
    print(f"| `{LISTINGS[kind]}` | what it is |")
    print("|---|---|")
    for entry in registry.catalogue().entries(kind):
        if entry.distribution == BUILTIN_OWNER:
            print(f"| `{entry.info.name}` | {entry.info.summary} |")
