"""Tables as text: one type, with writers for Markdown, LaTeX, CSV and plain text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mgc.datasets.csv_cells import csv_row

#: LaTeX's special characters, and how to write them.
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "·": r"\textperiodcentered{}",
    "–": "--", "±": r"\textpm{}", "…": r"\dots{}",
}  # fmt: skip
RULES = {"l": "---", "r": "--:", "c": ":-:"}


@dataclass(frozen=True)
class Table:
    """Cells under named columns.

    Attributes:
        title: what the table shows.
        columns: their names.
        rows: one cell per column; None is an empty cell.
        align: ``l``, ``r`` or ``c`` for each column; the last letter applies to all further
            columns.
        best: the number of the row to set in bold.
        note: a line below it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    align: str = "lr"
    best: int | None = None
    note: str = ""

    @property
    def alignment(self) -> str:
        """A letter for every column."""
        return self.align.ljust(len(self.columns), self.align[-1])

    def texts(self, write: Callable[[str], str] = str, bold: str = "{}") -> list[list[str]]:
        """The rows as formatted cells, those of the best row in ``bold``."""
        rows = [[write("" if cell is None else str(cell)) for cell in row] for row in self.rows]
        if self.best is not None:
            rows[self.best] = [bold.format(cell) if cell else "" for cell in rows[self.best]]
        return rows


def plain(table: Table) -> list[str]:
    """Columns aligned by spaces, two between them, nothing cut."""
    rows = table.texts(lambda text: " ".join(text.split("\n")))
    lines = [list(table.columns), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    places = {"l": str.ljust, "r": str.rjust, "c": str.center}
    set_lines = [
        "  ".join(
            places[letter](cell, width)
            for cell, width, letter in zip(line, widths, table.alignment, strict=True)
        ).rstrip()
        for line in lines
    ]
    return [table.title, *set_lines] if table.title else set_lines


def pipes_escaped(text: str) -> str:
    """A Markdown cell whose text already contains Markdown."""
    return text.replace("|", "\\|")


def markdown_escaped(text: str) -> str:
    """A Markdown cell of plain text."""
    return re.sub(r"[\\|*_`<>\[\]]", r"\\\g<0>", " ".join(text.split()))


def markdown_lines(table: Table, write: Callable[[str], str] = markdown_escaped) -> list[str]:
    """One Markdown table, without its title."""
    rows = [[write(name) for name in table.columns], *table.texts(write, "**{}**")]
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    lines.insert(1, "|" + "|".join(RULES[letter] for letter in table.alignment) + "|")
    return [*lines, "", write(table.note)] if table.note else lines


def markdown(tables: Sequence[Table]) -> str:
    """Markdown; if there are several tables, each goes under its title."""
    parts = []
    for table in tables:
        lines = [f"**{markdown_escaped(table.title)}**", ""] if len(tables) > 1 else []
        parts.append("\n".join([*lines, *markdown_lines(table)]) + "\n")
    return "\n".join(parts)


def latex(tables: Sequence[Table]) -> str:
    """LaTeX ``tabular`` in the style of booktabs (``\\usepackage{booktabs}``)."""
    parts = []
    for table in tables:
        lines = [f"% {' '.join(table.title.split())}", f"\\begin{{tabular}}{{{table.alignment}}}"]
        lines += ["\\toprule", " & ".join(map(_tex, table.columns)) + r" \\", "\\midrule"]
        lines += [" & ".join(cells) + r" \\" for cells in table.texts(_tex, "\\textbf{{{}}}")]
        lines += ["\\bottomrule", "\\end{tabular}"]
        lines += [f"\\\\[2pt]{{\\footnotesize {_tex(table.note)}}}"] if table.note else []
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _tex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in " ".join(text.split()))


def comma_separated(tables: Sequence[Table]) -> str:
    """CSV; several tables follow one another, each with its title as the first column."""
    many = len(tables) > 1
    rows: list[Sequence[object]] = [[*(["what"] if many else []), *tables[0].columns]]
    for table in tables:
        rows += [[*([table.title] if many else []), *row] for row in table.rows]
    return "".join(map(csv_row, rows))


#: The writer of each kind of file.
WRITERS = {".md": markdown, ".tex": latex, ".csv": comma_separated}
