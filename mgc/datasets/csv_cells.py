"""Cells of CSV files that people open in a spreadsheet, which takes ``=…`` for a formula."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_BEGINS = r"[=+\-@\t\r]"
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"


def csv_row(cells: Iterable[object], separator: str = ",") -> str:
    """A line of CSV, with every cell `guarded`."""
    import csv
    import io

    made = io.StringIO()
    # With this end of line, a carriage return inside a cell is quoted.
    writer = csv.writer(made, delimiter=separator, lineterminator="\r\n")
    writer.writerow(map(guarded, cells))
    return made.getvalue().removesuffix("\r\n") + "\n"


def guarded(cell: object) -> object:
    """A cell that no spreadsheet computes: a ``'`` before text that begins like a formula, ``./``
    before such a relative path. Numbers stay, also as text."""
    if isinstance(cell, Path):
        return f"./{cell}" if _is_risky(str(cell)) else cell
    if isinstance(cell, str) and _is_risky(cell) and not re.fullmatch(_NUMBER, cell):
        return f"'{cell}"
    return cell


def unguarded(cell: str) -> str:
    """The text that `guarded` wrote."""
    return cell[1:] if cell[:1] == "'" and re.match(f"'+{_BEGINS}", cell) else cell


def _is_risky(text: str) -> bool:
    return re.match(f"'*{_BEGINS}", text) is not None
