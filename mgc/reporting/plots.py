"""Figures for papers: confusion, curves, embedding, genres, calibration, comparison.

Each function takes runs (or a comparison) and returns a matplotlib figure; `save` writes it as PNG,
SVG or PDF. `mgc.reporting.tables` gives the numbers behind each as Markdown or LaTeX.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgc.errors import UsageError
from mgc.evaluation.compare import Comparison, by_genre
from mgc.evaluation.compare_text import ece
from mgc.evaluation.curves import NAMES, Curve, mean_curve, some_curves
from mgc.evaluation.maps import EmbeddingMap, Method, embedding_map
from mgc.evaluation.reliability import reliability
from mgc.evaluation.systems import System
from mgc.home import replace_file
from mgc.reporting import colours
from mgc.runs import Run
from mgc.runs.calibration_error import calibration_of_run

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

FORMATS = ("png", "svg", "pdf")
DPI = 200
COLUMN = 3.5  # inches: the width of a journal's column
MAX_NAME = 28  # characters of a name on an axis
SMALL_CELLS = 12  # with more genres the numbers in a matrix are smaller
STYLE: dict[RcKeyType, Any] = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "pdf.fonttype": 42,  # TrueType: what publishers ask for
    "svg.hashsalt": "mgc",  # the same file each time
    "font.sans-serif": ["DejaVu Sans"],  # bundled with matplotlib: the same picture everywhere
    "text.parse_math": False,  # a name may contain $
}


def save(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Write a figure; the suffix gives the format. Raises UsageError for any not in `FORMATS`."""
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise UsageError(
            f"{path}: a picture cannot be written as {path.suffix or 'a file without a suffix'}.",
            f"Use .{', .'.join(FORMATS)}.",
        )
    replace_file(path, drawn(figure, suffix, dpi))


def drawn(figure: Figure, suffix: str, dpi: int = DPI) -> bytes:
    """A figure as the content of a file of one of `FORMATS`."""
    made = io.BytesIO()
    undated = {"Date": None} if suffix == "svg" else {"CreationDate": None}
    metadata = {"Software": "mgc"} if suffix == "png" else undated
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # A name may contain characters that the font lacks (emoji); they are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(
            made, format=suffix, dpi=dpi, bbox_inches="tight", facecolor="white", metadata=metadata
        )
    return made.getvalue()


def short(name: str, most: int = MAX_NAME) -> str:
    """A name that fits on an axis; control characters, which no font has, are left out."""
    plain = "".join(letter if letter.isprintable() else " " for letter in name)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` axes side by side, at most three in a row."""
    across = min(count, 3)
    down = -(-count // across)
    figure = Figure(figsize=(width * across, height * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for spare in axes[count:]:
        spare.set_axis_off()
    return figure, list(axes[:count])


def confusion(named: Sequence[tuple[str, Run]], normalise: bool = False) -> Figure:
    """Confusion matrices of the test rows: tracks, or shares of each true genre's tracks."""
    with mpl.rc_context(STYLE):
        side = max(COLUMN, 0.32 * len(named[0][1].genres) + 1)
        figure, axes = _panels(len(named), side, side)
        for axis, (name, run) in zip(axes, named, strict=True):
            _draw_matrix(axis, run, normalise)
            axis.set_title(short(name, 40))
        axes[0].set_ylabel("true genre")
    return figure


def matrix(run: Run, normalise: bool) -> np.ndarray:
    """(true genre, predicted genre): tracks, or shares of each row."""
    counts = np.array(run.scores["test"]["confusion"], np.float64)
    return counts / np.maximum(counts.sum(1, keepdims=True), 1) if normalise else counts


def _draw_matrix(axis: Axes, run: Run, normalise: bool) -> None:
    values, names = matrix(run, normalise), [short(genre, 16) for genre in run.genres]
    top = 1.0 if normalise else max(values.max(), 1)
    axis.imshow(values, cmap=colours.MATRIX, vmin=0, vmax=top)
    size = 7 if len(names) <= SMALL_CELLS else 5
    for row, column in np.ndindex(*values.shape):
        value = values[row, column]
        if value:
            text = f"{100 * value:.0f}" if normalise else f"{value:.0f}"
            ink = "white" if value > top / 2 else "black"
            axis.text(column, row, text, ha="center", va="center", color=ink, fontsize=size)
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(length=0)
    axis.set_xlabel("predicted genre" + (" (% of the true genre)" if normalise else " (tracks)"))
    axis.spines[:].set_visible(False)


def curves(named: Sequence[tuple[str, Run]]) -> Figure:
    """Loss and validation accuracy by epoch; thin lines are folds, the thick one their mean, and
    points the epochs whose weights are kept."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2 * COLUMN, 2.4 * len(named)), layout="constrained")
        rows = figure.subplots(len(named), 2, squeeze=False)
        for (loss, score), (name, run) in zip(rows, named, strict=True):
            found = some_curves(run)
            _draw_curves(loss, found, ("train_loss", "validation_loss"))
            _draw_curves(score, found, ("validation_accuracy", "validation_f1"))
            loss.set(ylabel="loss (nat)", title=short(name, 40))
            score.set(ylabel="share", ylim=(0, 1))
    return figure


def _draw_curves(axis: Axes, found: Sequence[Curve], wanted: Sequence[str]) -> None:
    for number, figure in enumerate(wanted):
        ink, dash = colours.LIGHT[number], ("-", "--")[number]
        if not any(figure in curve.figures for curve in found):
            continue
        for curve in found if len(found) > 1 else ():
            axis.plot(curve.epochs, curve.figures[figure], dash, color=ink, lw=0.6, alpha=0.35)
        mean = mean_curve(found, figure)
        axis.plot(np.arange(1, len(mean) + 1), mean, dash, color=ink, lw=1.6, label=NAMES[figure])
        kept = [(curve.kept, curve.at_kept(figure)) for curve in found if figure in curve.figures]
        axis.plot(*zip(*kept, strict=True), "o", color=ink, ms=4)
    axis.plot([], [], "o", color="#555555", ms=4, label="epoch kept")
    axis.set_xlabel("epoch")
    axis.locator_params("x", integer=True)
    axis.legend()


def embedding(named: Sequence[tuple[str, Run]], method: Method = "tsne") -> Figure:
    """Maps of the test tracks, coloured by genre; wrong answers have a dark rim."""
    with mpl.rc_context(STYLE):
        maps = [embedding_map(run, method) for _, run in named]
        proportion = max(float(np.ptp(made.points[:, 1])) / 2 for made in maps)
        figure, axes = _panels(len(named), COLUMN, COLUMN * max(proportion, 0.4) + 0.5)
        for axis, (name, run), made in zip(axes, named, maps, strict=True):
            _draw_map(axis, run, made)
            axis.set_title(short(name, 40))
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(8, 4 * len(axes)))
    return figure


def _draw_map(axis: Axes, run: Run, made: EmbeddingMap) -> None:
    truth = run.truth(made.rows)
    wrong = run.probabilities(made.rows).argmax(1) != truth
    size = float(np.clip(4_000 / len(truth), 2, 18))
    for number, genre in enumerate(run.genres):
        colour, shape = colours.look(number)
        here = truth == number
        rims = ["#111111" if bad else "none" for bad in wrong[here]]
        axis.scatter(
            made.points[here, 0], made.points[here, 1], s=size,
            c=colours.LIGHT[colour], edgecolors=rims,
            marker=colours.SHAPES[shape][1], linewidths=0.5, label=short(genre, 20),
            rasterized=len(truth) > 5_000,
        )  # fmt: skip
    axis.set(xticks=[], yticks=[], aspect="equal")
    axis.spines[:].set_visible(False)


def genres(compared: Sequence[System]) -> Figure:
    """F1 of each genre as bars, one per system."""
    table = by_genre(compared).drop(columns="tracks")
    with mpl.rc_context(STYLE):
        bar = 0.8 / len(table.columns)
        height = max(2.0, 0.13 * len(table) * len(table.columns) + 1)
        figure = Figure(figsize=(COLUMN * 1.4, height), layout="constrained")
        axis = figure.subplots()
        for number, system in enumerate(table.columns):
            places = np.arange(len(table)) - 0.4 + bar * (number + 0.5)
            colour, _ = colours.look(number)
            hatch = ("", "////", "....", "xxxx")[number // len(colours.LIGHT) % 4]
            axis.barh(places, table[system], bar * 0.9, color=colours.LIGHT[colour], hatch=hatch,
                      label=short(system, 40))  # fmt: skip
        axis.set_yticks(range(len(table)), [short(str(genre), 20) for genre in table.index])
        axis.invert_yaxis()
        axis.set(xlabel="F1", xlim=(0, 1))
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def calibration(named: Sequence[tuple[str, Run]]) -> Figure:
    """Accuracy against confidence with 95 % intervals; the area of a point grows with its
    tracks."""
    with mpl.rc_context(STYLE):
        figure, axes = _panels(len(named), COLUMN * 0.8, COLUMN * 0.8)
        for axis, (name, run) in zip(axes, named, strict=True):
            _draw_calibration(axis, run)
            axis.set_title(f"{short(name, 34)}\nECE {ece(calibration_of_run(run))}")
        axes[0].set_ylabel("share right")
    return figure


def _draw_calibration(axis: Axes, run: Run) -> None:
    found = reliability(run)
    x, y = [b.confidence for b in found], [b.accuracy for b in found]
    # A Wilson interval may exclude a share of 0 or 1 by a rounding error.
    below = [max(0.0, b.accuracy - b.accuracy_low) for b in found]
    above = [max(0.0, b.accuracy_high - b.accuracy) for b in found]
    axis.plot([0, 1], [0, 1], ":", color="#888888", lw=1)
    axis.errorbar(x, y, [below, above], fmt="none", ecolor=colours.LIGHT[0], lw=0.8, alpha=0.6)
    sizes = 12 + 150 * np.array([b.tracks for b in found]) / sum(b.tracks for b in found)
    axis.scatter(x, y, s=sizes, color=colours.LIGHT[0], clip_on=False, zorder=3)
    axis.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", aspect="equal")


def comparison(made: Comparison) -> Figure:
    """Accuracy of each system with its 95 % interval; the dashed line is the reference's."""
    rows = list(made.rows)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN * 1.4, 0.25 * len(rows) + 0.8), layout="constrained")
        axis = figure.subplots()
        for place, row in enumerate(rows):
            ink = colours.LIGHT[0 if row["kind"] == "single" else 1]
            shape = "o" if row["kind"] == "single" else "D"
            ends = [100 * row["accuracy_low"], 100 * row["accuracy_high"]]
            axis.plot(ends, [place] * 2, color=ink)
            axis.plot(100 * row["accuracy"], place, shape, color=ink, ms=5)
            if row["name"] == made.reference:
                axis.axvline(100 * row["accuracy"], ls="--", lw=0.8, color="#888888")
        axis.set_yticks(range(len(rows)), [short(row["name"], 40) for row in rows])
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.set_xlabel("accuracy (%) and its 95 % interval")
    return figure
