"""How results look: tables, JSON, notes. Results go to stdout, everything else to stderr.

On a terminal, rich lays out the tables; when piped, they are plain aligned columns and rich is not
even imported, so ``mgc … list | grep`` takes no longer to start than Typer does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, TextIO

import typer

from mgc.errors import counted

if TYPE_CHECKING:
    from rich.console import Console

    from mgc.evaluation.text_tables import Table

MAX_NAME = 100  # characters of a cell that is a name, and not text that may be wrapped
STDERR = 2  # the file descriptor that C libraries write to
count = counted
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@contextmanager
def libraries_silenced() -> Iterator[None]:
    """Keep C libraries off the terminal: libmpg123 writes a line for each damaged frame of an mp3,
    into the middle of a table. What Python itself writes to stderr is not affected.

    ``MGC_DEBUG=1`` lets their messages through.
    """
    if os.environ.get("MGC_DEBUG") == "1" or not _is_the_process_s(sys.stderr):
        yield
        return
    sys.stderr.flush()
    coding, own = sys.stderr.encoding, os.dup(STDERR)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), STDERR)
    with open(own, "w", buffering=1, encoding=coding, errors="backslashreplace") as ours:
        try:
            with redirect_stderr(ours):
                yield
        finally:
            ours.flush()
            os.dup2(own, STDERR)


def _is_the_process_s(stream: TextIO) -> bool:
    """Whether a stream is the process's stderr, not a replacement by a test or a notebook."""
    try:
        return stream.fileno() == STDERR
    except (AttributeError, OSError, ValueError):
        return False


def console(stderr: bool = False) -> Console:
    """A rich console for results, or (stderr) for progress and errors. Not a module constant:
    tests and pipes swap sys.stdout."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


class _Screen(BytesIO):
    """A terminal for bytes; what is written is shown by `say`'s rule."""

    def write(self, content: Any) -> int:
        text = bytes(content).decode("utf-8", "backslashreplace")
        return sys.stdout.write(visible(text))

    def flush(self) -> None:
        sys.stdout.flush()


def binary() -> BinaryIO:
    """Stdout for bytes: other programs read UTF-8, whatever the locale."""
    sys.stdout.flush()
    return _Screen() if sys.stdout.isatty() else sys.stdout.buffer


def emit_json(value: Any) -> None:
    """Print JSON for other programs, in UTF-8."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    stream = binary()
    stream.write(text.encode("utf-8", "backslashreplace"))
    stream.flush()


def say(line: str = "") -> None:
    """Print a plain line of the result."""
    sys.stdout.write(visible(line) + "\n")


def visible(text: str) -> str:
    """Text with its control characters escaped: a file's name may contain terminal codes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def note(line: str) -> None:
    """Print a remark about the result (stderr)."""
    line = visible(line)
    if not sys.stderr.isatty():
        sys.stderr.write(line + "\n")
        return
    from rich.text import Text

    console(stderr=True).print(Text(line), style="dim", soft_wrap=True)


def complain(message: str, hint: str) -> None:
    """Print an error as the user sees it (stderr)."""
    message, hint = visible(message), visible(hint)
    if not sys.stderr.isatty():
        sys.stderr.write(f"Error: {message}\n" + (f"Hint:  {hint}\n" if hint else ""))
        return
    from rich.text import Text

    err = console(stderr=True)
    err.print(Text("Error: ", style="bold red") + Text(message, style=""), soft_wrap=True)
    if hint:
        err.print(Text("Hint:  ", style="bold") + Text(hint, style=""), soft_wrap=True)


def show_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    align: str = "",
    *,
    title: str = "",
    right: Sequence[str] = (),
) -> None:
    """Print a table of plain values; columns named in ``right``, or with the letter ``r`` in
    ``align`` (the last letter applies to all further columns), are right-aligned."""
    from mgc.evaluation.text_tables import Table, plain

    cells = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    align = align or "".join("r" if column in right else "l" for column in columns)
    table = Table(visible(title), list(map(visible, columns)), cells, align)
    if sys.stdout.isatty():
        _rich_table(table)
    else:
        say("\n".join(plain(table)))


def show_records(records: Sequence[Mapping[str, object]], align: str = "l") -> None:
    """Print a table of records, if any, with the same keys, which name its columns."""
    if records:
        show_table(list(records[0]), [list(record.values()) for record in records], align)


def _rich_table(table: Table) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    texts = table.texts()
    screen = console()
    widths = _widths([table.columns, *texts], screen.width - 3 * len(table.columns) + 1)
    if widths is None:
        _stacked(table)
        return
    made = RichTable(
        title=table.title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False
    )
    for column, letter, width in zip(table.columns, table.alignment, widths, strict=True):
        justify: Literal["left", "right"] = "right" if letter == "r" else "left"
        made.add_column(column, justify=justify, width=width)
    for row in texts:
        made.add_row(*map(Text, row))  # as Text, so that markup in names is shown as it is
    screen.print(made)


def _widths(lines: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """The width of each column: the widest shrink first, none so far that a word, or a name in the
    first column, would break. None if there is not enough room."""
    from rich.cells import cell_len

    cells = list(zip(*lines, strict=True))
    widths = [max(cell_len(line) for c in column for line in c.split("\n")) for column in cells]
    least = [max((cell_len(w) for c in column for w in c.split()), default=0) for column in cells]
    names = [line for name in cells[0][1:] for line in name.split("\n")]
    least[0] = max([least[0], *(size for n in names if (size := cell_len(n)) <= MAX_NAME)])
    while sum(widths) > room:
        wide = [number for number, width in enumerate(widths) if width > least[number]]
        if not wide:
            return None
        widths[max(wide, key=lambda number: widths[number])] -= 1
    return widths


def _stacked(table: Table) -> None:
    """Print a table on a terminal that is too narrow for it: one line per cell, as psql's \\x."""
    if table.title:
        say(table.title)
    longest = max(map(len, table.columns))
    for number, row in enumerate(table.texts()):
        if number:
            say()
        for column, cell in zip(table.columns, row, strict=True):
            say(f"{column.ljust(longest)}  {' '.join(cell.split(chr(10)))}".rstrip())


def percent(value: float) -> str:
    """0.634 → ``63.4``."""
    return f"{100 * value:.1f}"


def list_failures(reasons: Sequence[str], shown: int = 20) -> None:
    """List why files could not be used; count those beyond the limit."""
    for reason in reasons[:shown]:
        note(f"  {reason}")
    if len(reasons) > shown:
        note(f"  … and {len(reasons) - shown:,} more")
