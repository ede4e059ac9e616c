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
from mgc.cli.ui.options import output_file, refuse_unused
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
DPI = 200
TABLES = (".md", ".tex", ".csv")

Names = Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs, or an experiment.")]
Out = Annotated[Path | None, output_file("Write .png, .svg, .pdf, or a table: .md, .tex, .csv.")]
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
def confusion(names: Names, out: Out = None, normalise: Shares = False, dpi: Dpi = DPI) -> None:
    """Draw which genres are mistaken for which."""
    _draw("confusion", names, out, dpi, normalise)


@app.command("curves")
def curves(names: Names, out: Out = None, dpi: Dpi = DPI) -> None:
    """Draw loss and validation accuracy by epoch (for heads that learn in epochs)."""
    _draw("curves", names, out, dpi)


@app.command("embedding")
def embedding(names: Names, out: Out = None, method: MapMethod = "tsne", dpi: Dpi = DPI) -> None:
    """Draw a map that puts tracks close together if a model finds them alike."""
    _draw("embedding", names, out, dpi, method)


@app.command("genres")
def genres(names: Names, out: Out = None, dpi: Dpi = DPI) -> None:
    """Draw the F1 of each genre, run by run."""
    _draw("genres", names, out, dpi)


@app.command("calibration")
def calibration(names: Names, out: Out = None, dpi: Dpi = DPI) -> None:
    """Draw whether runs are right as often as they are sure."""
    _draw("calibration", names, out, dpi)


@app.command("comparison")
def comparison(names: Names, out: Out = None, dpi: Dpi = DPI) -> None:
    """Draw accuracies with their intervals."""
    _draw("comparison", names, out, dpi)


def _draw(
    kind: str, names: Sequence[str], out: Path | None, dpi: int, *options: str | bool
) -> None:
    """Show a figure, or write it in the format of the file's suffix; an unsupported suffix is
    refused before any work."""
    if out is not None and out.suffix.lower() not in (*PICTURES, *TABLES):
        raise UsageError(
            f"{out}: its suffix is not a known format.",
            f"Pictures: {' '.join(PICTURES)}; tables: {' '.join(TABLES)}.",
        )
    if out is None or out.suffix.lower() != ".png":
        refuse_unused("but on a .png", {"--dpi": dpi != DPI})
    drawn = _drawn(kind, names)
    if out is None:
        from mgc.cli.ui import plot_terminal

        getattr(plot_terminal, kind)(drawn, *options)
        return
    if out.suffix.lower() in PICTURES:
        from mgc.reporting import plots

        plots.save(getattr(plots, kind)(drawn, *options), out, dpi)
    else:
        from mgc.reporting import tables

        write_tables(getattr(tables, kind)(drawn, *options), out)
    output.say(f"Written: {out}")


def write_tables(made: Sequence[Table], out: Path) -> None:
    """Write tables in the format of the suffix. Raises MgcError if the file cannot be written."""
    from mgc.evaluation.text_tables import WRITERS

    replace_file(out, WRITERS[out.suffix.lower()](made).encode(), "Choose another path with -o.")


def _drawn(kind: str, names: Sequence[str]) -> Any:
    """What a kind of figure shows: runs with their titles, systems, or their comparison."""
    from mgc.runs.selection import chosen, titled

    found = chosen(names)
    if kind not in ("genres", "comparison"):
        return titled(found)
    from mgc.evaluation.compare import compare
    from mgc.evaluation.systems import systems

    return systems(found) if kind == "genres" else compare(systems(found))
