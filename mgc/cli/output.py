"""How results look: tables, JSON, notes. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: The width of tables that are not shown on a terminal: wide enough that nothing is cut.
PIPED_WIDTH = 200

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def console() -> Console:
    """Where results go. Not a module constant: tests and pipes swap sys.stdout."""
    return Console(width=None if sys.stdout.isatty() else _piped_width(), highlight=False)


def errors() -> Console:
    """Where notes, progress and errors go."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def _piped_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() and int(columns) > 0 else PIPED_WIDTH


def emit_json(value: Any) -> None:
    """Print JSON for a program to read."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def say(line: str = "") -> None:
    """A plain line of the result; markup in names is shown, not obeyed."""
    console().print(Text(line), soft_wrap=True)


def note(line: str) -> None:
    """A remark beside the result (stderr)."""
    errors().print(Text(line), style="dim")


def show_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    right: Sequence[str] = (),
    styles: Mapping[str, str] | None = None,
) -> None:
    """A table of plain values; columns named in ``right`` are set flush right."""
    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column in columns:
        justify = "right" if column in right else "left"
        table.add_column(
            column, justify=justify, style=(styles or {}).get(column), overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console().print(table)


def percent(value: float) -> str:
    """0.634 → ``63.4``."""
    return f"{100 * value:.1f}"


def count(number: int, noun: str) -> str:
    """``1 track``, ``1,024 tracks``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def list_failures(failures: Sequence[Any], shown: int = 20) -> None:
    """Each file that could not be used, with its reason; the rest as a count."""
    for failure in failures[:shown]:
        note(f"  {failure.reason}")
    if len(failures) > shown:
        note(f"  … and {len(failures) - shown:,} more")
