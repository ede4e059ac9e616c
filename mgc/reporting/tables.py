"""The numbers behind the figures as tables."""

from __future__ import annotations

from collections.abc import Sequence

from mgc.evaluation.compare import Comparison, by_genre
from mgc.evaluation.compare_text import FIGURES, HEADINGS, accuracy, footnote, interval, mark
from mgc.evaluation.curves import NAMES, mean_curve, some_curves
from mgc.evaluation.maps import Method, embedding_map
from mgc.evaluation.reliability import reliability
from mgc.evaluation.systems import System
from mgc.evaluation.text_tables import Table
from mgc.reporting.plots import matrix
from mgc.runs import Run


def confusion(named: Sequence[tuple[str, Run]], normalise: bool = False) -> list[Table]:
    """Confusion matrices, one table per run; rows are true genres."""
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
        epochs = enumerate(zip(*(mean_curve(found, key) for key in NAMES), strict=True), 1)
        rows = [[number, *(f"{value:.4f}" for value in values)] for number, values in epochs]
        made.append(Table(name, ["epoch", *NAMES.values()], rows))
    return made


def embedding(named: Sequence[tuple[str, Run]], method: Method = "tsne") -> list[Table]:
    """Where each track is on the map, its genre and the answer."""
    made = []
    for name, run in named:
        found = embedding_map(run, method)
        said = run.probabilities(found.rows).argmax(1)
        rows = [
            [row.track_id, row.genre, run.genres[answer], f"{x:.4f}", f"{y:.4f}"]
            for row, answer, (x, y) in zip(found.rows.itertuples(), said, found.points, strict=True)
        ]
        made.append(Table(name, ["track", "genre", "answer", "x", "y"], rows, align="lllr"))
    return made


def genres(compared: Sequence[System]) -> list[Table]:
    """F1 of each genre for each system."""
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
    """Figures of the systems; marks show what is better or worse than the reference."""
    rows = [
        [row["name"], row["kind"], *(f"{row[name]:.3f}" for name in FIGURES),
         accuracy(row) + mark(row), interval(row)]
        for row in made.rows
    ]  # fmt: skip
    note = ""
    if made.reference is not None:
        note = f"Against {made.reference}. {footnote(made)}"
    return [Table("Comparison", ["system", *HEADINGS], rows, align="llr", best=0, note=note)]
