"""A comparison as text: Markdown, CSV, and what it allows us to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mgc.errors import counted
from mgc.evaluation.text_tables import Table, comma_separated, markdown_lines, pipes_escaped

if TYPE_CHECKING:
    from mgc.evaluation.compare import Comparison

FIGURES = ("precision", "recall", "f1")
#: The columns of the table, as they are named in files.
COLUMNS = (
    "name", "kind", "precision", "recall", "f1", "accuracy", "accuracy_low", "accuracy_high",
    "tracks", "seeds", "seed_interval", "difference", "difference_low", "difference_high", "p",
    "p_adjusted", "mcnemar_p", "f1_difference", "f1_p", "best_share", "rank", "runs", "seed_sd",
    "nll", "ece", "ece_corrected", "ece_low", "ece_high",
)  # fmt: skip
#: The headings of what every table for people shows.
HEADINGS = ("kind", "precision", "recall", "F1", "accuracy %", "95 % interval")
SURE, SURER = 0.05, 0.01  # the first is `mgc.runs.paired_test.LEVEL`


def markdown(made: Comparison) -> list[str]:
    """The table as Markdown lines: the best in bold, the marks explained below it."""
    columns = ["name", *HEADINGS, "tracks", "run"]
    rows = []
    for row in made.rows:
        bold = "**" if row["rank"] == 1 else ""
        own_accuracy = f"{bold}{accuracy(row)}{bold}{_literal(mark(row))}"
        figures = (f"{row[name]:.3f}" for name in FIGURES)
        own = (own_accuracy, interval(row), f"{row['tracks']:,}", " ".join(row["runs"]))
        rows.append([row["name"], row["kind"], *figures, *own])
    note = ""
    if made.reference is not None:
        note = f"Tested against {made.reference}. {_literal(footnote(made))}"
    return markdown_lines(Table("", columns, rows, "llrrrrcrl", note=note), pipes_escaped)


def _literal(text: str) -> str:
    return text.replace("*", "\\*")


def csv_text(made: Comparison) -> str:
    """The rows as CSV, fractions in [0, 1]."""
    rows = [
        [" ".join(row["runs"]) if column == "runs" else row.get(column) for column in COLUMNS]
        for row in made.rows
    ]
    return comma_separated([Table("", COLUMNS, rows)])


def difference_interval(row: Mapping[str, Any]) -> str:
    """The interval of a difference in points; ``–`` if nothing was tested."""
    if row.get("difference_low") is None:
        return "–"
    return f"{100 * row['difference_low']:+.1f} … {100 * row['difference_high']:+.1f}"


def interval(row: Mapping[str, Any], figure: str = "accuracy") -> str:
    """The interval of a figure, in percent."""
    return f"{percent(row[f'{figure}_low'])}–{percent(row[f'{figure}_high'])}"


def ece(row: Mapping[str, Any]) -> str:
    """The calibration error, corrected for its bias, with its interval: ``0.031 (0.01–0.05)``."""
    return f"{row['ece_corrected']:.3f} ({row['ece_low']:.2f}–{row['ece_high']:.2f})"


def accuracy(row: Mapping[str, Any]) -> str:
    """An accuracy in percent; of several seeds with their standard deviation."""
    if row["seed_sd"] is None:
        return percent(row["accuracy"])
    return (
        f"{percent(row['accuracy'])} ± {percent(row['seed_sd'])} ({counted(row['seeds'], 'seed')})"
    )


def verdict(made: Comparison) -> str:
    """What the figures allow us to say about the best system, and no more."""
    best = [row["name"] for row in made.rows if row["rank"] == 1]
    first = made.rows[0]
    named = " and ".join([", ".join(best[:-1]), best[-1]] if best[1:] else best)
    said = f"Best: {named}, {percent(first['accuracy'])} % ({interval(first)})"
    if made.reference is None or made.reference in best:
        return f"{said}."
    if made.too_few:
        return f"{said}; against {made.reference}: {made.too_few}."
    against = f"{made.reference} (p = {p_value(first['p_adjusted'])}, adjusted)"
    if mark(first):
        return f"{said}; better than {against}."
    return f"{said}; on these tracks not distinguishable from {against}."


def mark(row: Mapping[str, Any]) -> str:
    """``**`` and ``*`` for p < 0.01 and < 0.05, adjusted for the number of comparisons."""
    p = row.get("p_adjusted")
    if p is None:
        return ""
    return "**" if p < SURER else "*" if p < SURE else ""


def p_value(value: float | None) -> str:
    """``0.032``, ``< 0.001``; ``–`` if nothing was tested."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def footnote(made: Comparison) -> str:
    """How the intervals and tests were made."""
    if made.too_few:
        return f"Nothing was tested: {made.too_few}."
    units = f"{made.groups:,} {made.unit} of" if made.groups else ""
    return (
        f"Paired on {units} {counted(made.tracks, 'track')}; sign-flip test of whole {made.unit}; "
        f"* p < {SURE}, ** p < {SURER} after Holm's correction for the number of rows. "
        f"95 % intervals: Wilson's with whole {made.unit} as units; of differences, what the test "
        "does not reject. McNemar's test (mid-p) treats tracks as independent."
    ).replace("  ", " ")


def percent(value: float) -> str:
    """0.634 → ``63.4``."""
    return f"{100 * value:.1f}"
