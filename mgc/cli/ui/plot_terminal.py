"""The figures of ``mgc plot`` as text: what a pipe, a log or a plain terminal can show."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mgc.cli.ui import drawing, output
from mgc.evaluation.compare_text import interval

if TYPE_CHECKING:
    from mgc.evaluation.compare import Comparison
    from mgc.evaluation.maps import Method
    from mgc.evaluation.systems import System
    from mgc.runs import Run

    Named = Sequence[tuple[str, Run]]

MIN_WIDTH = 20  # the fewest characters of a line that a figure gets
MAX_WIDTH = 100  # and the most: longer lines are hard to follow
MAP_LINES = 24
NAME = 16  # characters of a genre's name next to a figure


def _room(beside: int) -> int:
    """How many characters a line has for a figure with ``beside`` characters next to it; without a
    terminal, as if it had `MAX_WIDTH`, unless ``COLUMNS`` says otherwise."""
    width = shutil.get_terminal_size((MAX_WIDTH, MAP_LINES)).columns
    return max(MIN_WIDTH, min(MAX_WIDTH, width) - beside)


def confusion(named: Named, normalise: bool = False) -> None:
    """Matrices; the shade next to a number shows its share of the true genre."""
    from mgc.reporting.plots import matrix, short

    for name, run in named:
        shares, values = matrix(run, True), matrix(run, False)
        rows = [
            [short(genre, NAME), *map(_cell, part, row)]
            for genre, part, row in zip(
                run.genres, shares, 100 * shares if normalise else values, strict=True
            )
        ]
        columns = ["true \\ predicted", *(short(genre, NAME) for genre in run.genres)]
        output.show_table(columns, rows, title=name, right=columns[1:])


def _cell(share: float, value: float) -> str:
    return f"{value:.0f}{drawing.shade(share)}" if share else "·"


def curves(named: Named) -> None:
    """One sparkline per figure, with its first, best and last value."""
    from mgc.evaluation.curves import NAMES, mean_curve, some_curves

    for name, run in named:
        found = some_curves(run)
        rows = []
        for key, words in NAMES.items():
            values = [float(value) for value in mean_curve(found, key)]
            known = [value for value in values if value == value]
            if known:
                best = min(known) if key.endswith("loss") else max(known)
                line = drawing.sparkline(values, _room(60))
                rows.append([words, line, f"{known[0]:.3f}", f"{best:.3f}", f"{known[-1]:.3f}"])
        folds = f", mean of {len(found)} folds" if len(found) > 1 else ""
        epochs = f"{output.count(len(found[0].epochs), 'epoch')}{folds}"
        columns = [epochs, "", "first", "best", "last"]
        output.show_table(columns, rows, title=name, right=columns[2:])


def embedding(named: Named, method: Method = "tsne") -> None:
    """A map of letters, one per genre."""
    from mgc.evaluation.maps import embedding_map

    for name, run in named:
        made = embedding_map(run, method)
        output.say(name)
        points = [(float(x), float(y)) for x, y in made.points]
        groups = run.truth(made.rows).tolist()
        for line in drawing.letter_map(points, groups, min(_room(0), 3 * MAP_LINES), MAP_LINES):
            output.say(line)
        letters = drawing.LETTERS
        legend = [f"{letters[i % len(letters)]} {genre}" for i, genre in enumerate(run.genres)]
        output.say(", ".join(legend) + f"; {drawing.MIXED} several")
        output.note(made.note)


def genres(compared: Sequence[System]) -> None:
    """A bar for each genre and system."""
    from mgc.evaluation.compare import by_genre

    table = by_genre(compared)
    counts = table.pop("tracks")
    room = _room(NAME + 45)
    rows = []
    for genre, values in table.iterrows():
        head = [genre, counts[str(genre)]]
        for system, value in values.items():
            rows.append([*head, system, drawing.bar(value, room), f"{value:.2f}"])
            head = ["", ""]
    output.show_table(["genre", "tracks", "system", "", "F1"], rows, right=["tracks", "F1"])


def calibration(named: Named) -> None:
    """How often each run is right, by how confident it is."""
    from mgc.evaluation.compare_text import ece
    from mgc.evaluation.reliability import reliability
    from mgc.runs.calibration_error import calibration_of_run

    for name, run in named:
        room = _room(50)
        rows = [
            [f"{b.low:.2f}–{b.high:.2f}", f"{b.confidence:.2f}", f"{b.accuracy:.2f}",
             drawing.whisker(b.accuracy_low, b.accuracy, b.accuracy_high, room), b.tracks]
            for b in reliability(run)
        ]  # fmt: skip
        columns = ["confidence", "mean", "right", "0 … 1, 95 % interval", "tracks"]
        title = f"{name}: expected calibration error {ece(calibration_of_run(run))}"
        output.show_table(columns, rows, title=title, right=["mean", "right", "tracks"])


def comparison(made: Comparison) -> None:
    """The accuracies with their intervals on one scale."""
    room = _room(60)
    low = min(row["accuracy_low"] for row in made.rows)
    span = max(max(row["accuracy_high"] for row in made.rows) - low, 1e-9)
    rows = []
    for row in made.rows:
        figures = (row["accuracy_low"], row["accuracy"], row["accuracy_high"])
        left, middle, right = ((value - low) / span for value in figures)
        line = drawing.whisker(left, middle, right, room)
        rows.append([row["name"], output.percent(row["accuracy"]), interval(row), line])
    scale = f"{output.percent(low)} … {output.percent(low + span)} %"
    output.show_table(["system", "acc. %", "95 % interval", scale], rows, right=["acc. %"])
