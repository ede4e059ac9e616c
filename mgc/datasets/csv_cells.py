"""Cells of CSV files that people open in a spreadsheet, which takes ``=…`` for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

_BEGINS = r"[=+\-@\t\r]"
_RISKY = re.compile(rf"'*{_BEGINS}")
_GUARDED = re.compile(rf"'+{_BEGINS}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_row(cells: Iterable[object], separator: str = ",") -> str:
    """A line of CSV, with every cell `guarded`."""
    made = io.StringIO()
    # With this end of line, a carriage return inside a cell is quoted.
    writer = csv.writer(made, delimiter=separator, lineterminator="\r\n")
    writer.writerow(map(guarded, cells))
    return made.getvalue().removesuffix("\r\n") + "\n"


def guarded(cell: object) -> object:
    """A cell that no spreadsheet computes: a ``'`` before text that begins like a formula, ``./``
    before such a relative path. Numbers stay, also as text."""
    if isinstance(cell, Path):
        return f"./{cell}" if _RISKY.match(str(cell)) else cell
    if isinstance(cell, str) and _RISKY.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def unguarded(cell: str) -> str:
    """The text that `guarded` wrote."""
    return cell[1:] if _GUARDED.match(cell) else cell
