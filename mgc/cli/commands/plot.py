"""``mgc plot``: the figures of runs, in the terminal, as pictures and as tables.

Each kind of figure is a function with the same name in `mgc.reporting.plots` (pictures),
`mgc.reporting.tables` and `mgc.cli.ui.plot_terminal`, with the same arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mgc.cli.ui import output
from mgc.errors import UsageError
from mgc.home import replace_file

if TYPE_CHECKING:
    from mgc.evaluation.text_tables import Table

app = typer.Typer(
    no_args_is_help=True,
    help="Figures of runs: in the terminal, or with -o as PNG, SVG, PDF, or as a table (Markdown, "
    "LaTeX, CSV).",
)
PICTURES = (".png", ".svg", ".pdf")
TABLES = (".md", ".tex", ".csv")

Names = Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs, or an experiment.")]
Out = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write .png, .svg, .pdf, or a table: .md, .tex, .csv."),
]
Dpi = Annotated[int, typer.Option(help="Dots per inch of a PNG.", min=50, max=1200)]
Shares = Annotated[
    bool,
    typer.Option("--normalise", help="Show shares of each true genre instead of track counts."),
]
MapMethod = Annotated[
    Literal["tsne", "pca"],
    typer.Option("--map", help="How to lay out the map: t-SNE, or two principal components."),
]


@app.command("confusion")
def confusion(names: Names, out: Out = None, normalise: Shares = False, dpi: Dpi = 200) -> None:
    """Draw which genres are mistaken for which."""
    _check(out)
    _put("confusion", out, dpi, _named(names), normalise)


@app.command("curves")
def curves(names: Names, out: Out = None, dpi: Dpi = 200) -> None:
    """Draw loss and validation accuracy by epoch (for heads that learn in epochs)."""
    _check(out)
    _put("curves", out, dpi, _named(names))


@app.command("embedding")
def embedding(names: Names, out: Out = None, method: MapMethod = "tsne", dpi: Dpi = 200) -> None:
    """Draw a map that puts tracks close together if a model finds them alike."""
    _check(out)
    _put("embedding", out, dpi, _named(names), method)


@app.command("genres")
def genres(names: Names, out: Out = None, dpi: Dpi = 200) -> None:
    """Draw the F1 of each genre, run by run."""
    _check(out)
    _put("genres", out, dpi, _systems(names))


@app.command("calibration")
def calibration(names: Names, out: Out = None, dpi: Dpi = 200) -> None:
    """Draw whether runs are right as often as they are sure."""
    _check(out)
    _put("calibration", out, dpi, _named(names))


@app.command("comparison")
def comparison(names: Names, out: Out = None, dpi: Dpi = 200) -> None:
    """Draw accuracies with their intervals."""
    from mgc.evaluation.compare import compare

    _check(out)
    _put("comparison", out, dpi, compare(_systems(names)))


def _check(out: Path | None) -> None:
    """Refuse an unsupported suffix before doing any work."""
    if out is not None and out.suffix.lower() not in (*PICTURES, *TABLES):
        raise UsageError(
            f"{out}: its suffix is not a known format.",
            f"Pictures: {' '.join(PICTURES)}; tables: {' '.join(TABLES)}.",
        )


def _put(kind: str, out: Path | None, dpi: int, *arguments: Any) -> None:
    """Show a figure, or write it in the format of the file's suffix."""
    if out is None:
        from mgc.cli.ui import plot_terminal

        getattr(plot_terminal, kind)(*arguments)
        return
    if out.suffix.lower() in PICTURES:
        from mgc.reporting import plots

        plots.save(getattr(plots, kind)(*arguments), out, dpi)
    else:
        from mgc.reporting import tables

        write_tables(getattr(tables, kind)(*arguments), out)
    output.say(f"Written: {out}")


def write_tables(made: Sequence[Table], out: Path) -> None:
    """Write tables in the format of the suffix. Raises MgcError if the file cannot be written."""
    from mgc.evaluation.text_tables import WRITERS

    replace_file(out, WRITERS[out.suffix.lower()](made).encode(), "Choose another path with -o.")


def _systems(names: Sequence[str]) -> list[Any]:
    from mgc.evaluation.systems import systems
    from mgc.runs.selection import chosen

    return systems(chosen(names))


def _named(names: Sequence[str]) -> list[tuple[str, Any]]:
    from mgc.runs.selection import chosen, titled

    return titled(chosen(names))
