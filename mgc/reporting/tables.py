"""The numbers behind the figures as tables: for the terminal, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from mgc.evaluation.compare import Comparison, by_genre
from mgc.evaluation.compare_text import SURE, SURER, mark
from mgc.evaluation.curves import NAMES, mean_curve, some_curves
from mgc.evaluation.maps import Method, embedding_map
from mgc.evaluation.reliability import reliability
from mgc.evaluation.systems import System
from mgc.reporting.plots import matrix
from mgc.runs import Run

#: LaTeX's special characters, and how to write them.
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "·": r"\textperiodcentered{}",
    "–": "--", "±": r"\textpm{}", "…": r"\dots{}",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Text cells under named columns; ``left`` columns hold words, the others figures.

    ``best`` is the number of the row to set in bold, if any.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    best: int | None = None
    note: str = ""


def markdown(tables: Sequence[Table]) -> str:
    """Markdown; several tables stand under their titles."""
    parts = []
    for table in tables:
        lines = [f"**{_cell(table.title)}**", ""] if len(tables) > 1 else []
        lines.append("| " + " | ".join(map(_cell, table.columns)) + " |")
        marks = ["---" if i < table.left else "--:" for i in range(len(table.columns))]
        lines.append("|" + "|".join(marks) + "|")
        for number, row in enumerate(table.rows):
            cells = [_cell(cell) for cell in row]
            if number == table.best:
                cells = [f"**{cell}**" if cell else "" for cell in cells]
            lines.append("| " + " | ".join(cells) + " |")
        lines += ["", _cell(table.note)] if table.note else []
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    plain = " ".join(text.split())
    for letter in "\\|*_`<>[]":
        plain = plain.replace(letter, "\\" + letter)
    return plain


def latex(tables: Sequence[Table]) -> str:
    """LaTeX ``tabular`` in the style of booktabs (``\\usepackage{booktabs}``)."""
    parts = []
    for table in tables:
        align = "".join("l" if i < table.left else "r" for i in range(len(table.columns)))
        lines = [f"% {' '.join(table.title.split())}", f"\\begin{{tabular}}{{{align}}}"]
        lines += ["\\toprule", " & ".join(map(_tex, table.columns)) + r" \\", "\\midrule"]
        for number, row in enumerate(table.rows):
            cells = [_tex(cell) for cell in row]
            if number == table.best:
                cells = [f"\\textbf{{{cell}}}" if cell else "" for cell in cells]
            lines.append(" & ".join(cells) + r" \\")
        lines += ["\\bottomrule", "\\end{tabular}"]
        lines += [f"\\\\[2pt]{{\\footnotesize {_tex(table.note)}}}"] if table.note else []
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _tex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in " ".join(text.split()))


def comma_separated(tables: Sequence[Table]) -> str:
    """CSV; several tables follow each other, each with its title as first column."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    many = len(tables) > 1
    for table in tables:
        if not many or table is tables[0]:
            writer.writerow([*(["what"] if many else []), *table.columns])
        writer.writerows([*([table.title] if many else []), *row] for row in table.rows)
    return made.getvalue()


def confusion(named: Sequence[tuple[str, Run]], normalise: bool = False) -> list[Table]:
    """Confusion matrices, one table a run; rows are true genres."""
    made = []
    for name, run in named:
        values = matrix(run, normalise)
        rows = [
            [genre, *(f"{100 * v:.1f}" if normalise else f"{v:.0f}" for v in row)]
            for genre, row in zip(run.genres, values, strict=True)
        ]
        made.append(Table(name, ["true \\ predicted", *run.genres], rows))
    return made


def curves(named: Sequence[tuple[str, Run]]) -> list[Table]:
    """Mean figures of each epoch over the folds."""
    made = []
    for name, run in named:
        found = some_curves(run)
        figures = {key: mean_curve(found, key) for key in NAMES}
        rows = [
            [str(number + 1), *(f"{values[number]:.4f}" for values in figures.values())]
            for number in range(len(figures["train_loss"]))
        ]
        made.append(Table(name, ["epoch", *(NAMES[key] for key in figures)], rows))
    return made


def embedding(named: Sequence[tuple[str, Run]], method: Method = "tsne") -> list[Table]:
    """Where each track lies on the map, its genre and the answer."""
    made = []
    for name, run in named:
        found = embedding_map(run, method)
        said = run.probabilities(found.rows).argmax(1)
        rows = [
            [row.track_id, row.genre, run.genres[answer], f"{x:.4f}", f"{y:.4f}"]
            for row, answer, (x, y) in zip(found.rows.itertuples(), said, found.points, strict=True)
        ]
        made.append(Table(name, ["track", "genre", "answer", "x", "y"], rows, left=3))
    return made


def genres(compared: Sequence[System]) -> list[Table]:
    """F1 of each genre under each system."""
    table = by_genre(compared)
    counts = table.pop("tracks")
    rows = [
        [str(genre), *(f"{value:.3f}" for value in values), f"{counts[genre]:,}"]
        for genre, values in zip(table.index, table.to_numpy(), strict=True)
    ]
    return [Table("F1 by genre", ["F1", *map(str, table.columns), "tracks"], rows)]


def calibration(named: Sequence[tuple[str, Run]]) -> list[Table]:
    """The bins of the reliability diagrams."""
    columns = ["confidence", "mean", "right %", "95 % interval", "tracks"]
    made = []
    for name, run in named:
        rows = [
            [f"{b.low:.2f}–{b.high:.2f}", f"{b.confidence:.3f}", f"{100 * b.accuracy:.1f}",
             f"{100 * b.accuracy_low:.1f}–{100 * b.accuracy_high:.1f}", f"{b.tracks:,}"]
            for b in reliability(run)
        ]  # fmt: skip
        made.append(Table(name, columns, rows))
    return made


def comparison(made: Comparison) -> list[Table]:
    """Figures of the systems; marks say what is better or worse than the reference."""
    columns = ["system", "kind", "precision", "recall", "F1", "accuracy %", "95 % interval"]
    rows = [
        [row["name"], row["kind"], *(f"{row[name]:.3f}" for name in ("precision", "recall", "f1")),
         f"{100 * row['accuracy']:.1f}{mark(row)}",
         f"{100 * row['accuracy_low']:.1f}–{100 * row['accuracy_high']:.1f}"]
        for row in made.rows
    ]  # fmt: skip
    note = ""
    if made.reference is not None:
        note = (
            f"* p < {SURE}, ** p < {SURER} against {made.reference} (paired bootstrap, Holm's "
            f"correction), {made.tracks:,} tracks."
        )
    return [Table("Comparison", columns, rows, left=2, best=0, note=note)]
