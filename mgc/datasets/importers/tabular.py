"""Reads other people's tables: CSV in any separator and encoding that is certain, and Parquet.

Excel writes semicolons in most of Europe, and cp1252 or UTF-16 unless asked for UTF-8.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from mgc.datasets.csv_cells import unguarded
from mgc.errors import MgcError, UsageError
from mgc.home import bytes_of

SUFFIXES = (".csv", ".tsv", ".parquet")
SEPARATORS = (",", ";", "\t", "|")
GUESSED = "cp1252"  # what a table that is not UTF-8 is tried in
#: A file's first bytes, and how its text is encoded; UTF-32 begins like UTF-16, so it comes first.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
AS_UTF8 = "Save it as UTF-8 (Excel: 'CSV UTF-8'), or convert it: iconv -f {} -t utf-8 {} > new.csv"


def read_table(path: Path, fits: Callable[[Sequence[str]], bool]) -> tuple[pd.DataFrame, bool]:
    """The table, with column names in lower case, and whether its encoding is only a guess.

    Args:
        path: a CSV, TSV or Parquet file.
        fits: whether column names are those of such a table; decides the separator.

    Raises:
        UsageError: no such file, or not a table. MgcError: a line that cannot be read.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist.", "Check the path.")
    try:
        content = bytes_of(path)
        if path.suffix.lower() == ".parquet" or content.startswith(b"PAR1"):
            return _parquet(path, content), False
        if content.startswith(b"PK\3\4"):
            raise UsageError(f"{path} is a spreadsheet, not text.", "Save it as CSV (UTF-8).")
        text, encoding = _decoded(content)
        return _read_csv(path, text, fits), encoding == GUESSED
    except (OSError, ValueError, TypeError, NotImplementedError, csv.Error) as error:
        raise MgcError(
            f"{path} cannot be read as a table: {error}.",
            f"It should be one of {', '.join(SUFFIXES)}, with a row of column names first.",
        ) from error


def uncertain(path: Path) -> MgcError:
    """The error for a table whose names depend on a guessed encoding."""
    return MgcError(
        f"{path} is not UTF-8; it may be {GUESSED} (Windows), but that is not certain.",
        AS_UTF8.format(GUESSED, path.name),
    )


def _decoded(content: bytes) -> tuple[str, str]:
    """The text and its encoding. Raises ValueError if it has none of the known ones."""
    marked = next((code for mark, code in MARKS.items() if content.startswith(mark)), None)
    if marked is None and b"\0" in content[:2]:  # UTF-16 without its mark
        marked = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    for encoding in [marked] if marked else ["utf-8", GUESSED]:
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise ValueError(f"it is neither {marked}" if marked else f"it is neither UTF-8 nor {GUESSED}")


def _read_csv(path: Path, text: str, fits: Callable[[Sequence[str]], bool]) -> pd.DataFrame:
    announced = re.match(r"sep=(.)\r?\n", text)  # a line that Excel understands
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    separators = list(dict.fromkeys([usual, *SEPARATORS]))
    if announced:
        text, separators = text[announced.end() :], [announced[1]]
    headers = {
        separator: next(_lines(text, separator, False), (0, []))[1] for separator in separators
    }
    if not any(headers.values()):
        raise ValueError("it is empty")
    # If none fits, the most columns: they are then named in the error.
    separator = max(headers, key=lambda sign: (fits(_names(headers[sign])), len(headers[sign])))
    header = _names(headers[separator])
    _each_name_once(header, path)
    rows = [
        _fitted([unguarded(cell) for cell in row], len(header), f"{path}, line {number}")
        for number, row in list(_lines(text, separator))[1:]
    ]
    return pd.DataFrame(rows, columns=pd.Index(header, dtype=object), dtype=object)


def _lines(text: str, separator: str, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of each row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=strict)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(f'line {reader.line_num}: {error} (write "" for a " in a text)') from error


def _names(header: Sequence[str]) -> list[str]:
    """Column names; empty ones at the end are dropped, others (pandas' index) are numbered."""
    cells = [unguarded(cell).strip().lower() for cell in header]
    while cells and not cells[-1]:
        cells.pop()
    return [name or f"unnamed: {number}" for number, name in enumerate(cells)]


def _fitted(row: list[str], columns: int, where: str) -> list[str]:
    """A row as long as the header: separators at its end are dropped, missing fields are empty."""
    if any(cell.strip() for cell in row[columns:]):
        raise MgcError(
            f"{where} has {len(row)} fields, but the header names {columns} columns.",
            "Put quotes around a text that contains the separator.",
        )
    return [*row[:columns], *[""] * (columns - len(row))]


def _parquet(path: Path, content: bytes) -> pd.DataFrame:
    rows = pd.read_parquet(io.BytesIO(content))  # a name may look like an address
    if any(name is not None for name in rows.index.names):
        rows = rows.reset_index()
    names = [str(column).strip().lower() for column in rows.columns]
    _each_name_once(names, path)
    return rows.set_axis(names, axis=1)


def _each_name_once(names: Sequence[str], path: Path) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path} has two columns {twice!r}.", "Rename or remove one of them.")


def as_text(values: pd.Series, path: Path) -> pd.Series:
    """A column as text: "" for nothing, ``7`` for 7.0. Raises UsageError for lists and the like."""
    return values.astype(object).map(lambda value: _text(value, values.name, path))


def _text(value: object, column: object, path: Path) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not pd.api.types.is_scalar(value):
        raise UsageError(
            f"{path}: the column {column!r} holds a {type(value).__name__}, not a text.",
            "Give each track one value.",
        )
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
