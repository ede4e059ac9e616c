"""``mgc report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from mgc.cli.ui import choice, output
from mgc.cli.ui.live import progress
from mgc.cli.ui.options import DataName, Every, Folds, Reference, output_file, refuse_unused
from mgc.errors import UsageError
from mgc.home import replace_file

PICTURE, NO_PICTURE = "mel", "none"
PAGES = (".html", ".htm")


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|EXPERIMENT]...",
            help="What to report on (default: the newest run of each kind on the dataset).",
        ),
    ] = None,
    data: DataName = None,
    folds: Folds = None,
    every: Every = False,
    out: Annotated[Path | None, output_file("The page (default: report-DATASET.html).")] = None,
    title: Annotated[str, typer.Option(help="Its title (default: the dataset's name).")] = "",
    reference: Reference = None,
    hardest: Annotated[int, typer.Option(help="How many hard tracks to show.", min=0)] = 12,
    picture: Annotated[
        str,
        typer.Option(
            metavar="EXTRACTOR",
            help="Extractor that draws the hard tracks; none: no pictures and no sound.",
        ),
    ] = PICTURE,
    audio: Annotated[
        bool, typer.Option(help="Include the hard tracks' sound in the page (150 kB each).")
    ] = True,
    audit: Annotated[
        bool, typer.Option("--audit", help="Also search all audio for copies of a recording.")
    ] = False,
    method: Annotated[
        Literal["tsne", "pca"], typer.Option("--map", help="How to lay out the map.")
    ] = "tsne",
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Write one HTML page about runs: comparison, matrices, map, curves, hard tracks, data."""
    from mgc import resolve

    if out is not None and out.exists() and out.suffix.lower() not in PAGES:
        raise UsageError(f"{out} is there, and is no page.", f"End it in {' or '.join(PAGES)}.")
    drawn = picture not in (NO_PICTURE, PICTURE)
    refuse_unused("with --hardest 0", {"--picture": drawn and not hardest})
    if picture != NO_PICTURE:
        resolve.check_names("extractor", [picture])
    taken = choice.selected(names or [], data, folds, every, reference)
    from mgc.reporting.page.build import ReportRequest, make_report

    source = None
    if picture != NO_PICTURE:
        (source,) = resolve.sources([picture], None, resolve.policy(None, None), "cpu")
    found = taken.runs
    output.note(f"Reported: {', '.join(run.name for run in found)}")
    options = (title, hardest, source, audio, audit, method, reference)
    asked = ReportRequest(*options, ["mgc", *sys.argv[1:]], taken.said())
    page = make_report(found, asked, progress())
    choice.say_doubts(found)
    path = out or Path(f"report-{found[0].record.dataset.name}.html")
    # A name from a file system may not be valid Unicode; a question mark replaces what is not.
    replace_file(path, page.encode(errors="replace"), "Choose another path with -o.")
    output.say(f"Written: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    if audio and source is not None and hardest:
        output.note(
            "The page contains music: check who owns it before you share the page "
            "(--no-audio leaves it out)."
        )
    if show:
        typer.launch(str(path))
