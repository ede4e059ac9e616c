"""``mgc similar``."""

from __future__ import annotations

from typing import Annotated

import typer

from mgc.cli.ui import output
from mgc.cli.ui.chosen_model import answering_model
from mgc.cli.ui.live import progress
from mgc.cli.ui.options import Device
from mgc.cli.ui.output import JsonOption

SHOWN = 10


def similar(
    wanted: Annotated[
        str, typer.Argument(metavar="FILE|TRACK", help="Audio, or the id of a known track.")
    ],
    run: Annotated[
        str | None, typer.Option(help="Run whose embedding is used (default: see mgc compare, ●).")
    ] = None,
    among: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET|RUN",
            help="Look among the tracks of this dataset or run (default: the run's own).",
        ),
    ] = None,
    same_artist: Annotated[
        bool, typer.Option("--same-artist", help="Also list tracks of the same artist.")
    ] = False,
    count: Annotated[int, typer.Option(help="How many tracks to list.", min=1)] = SHOWN,
    device: Device = "auto",
    as_json: JsonOption = False,
) -> None:
    """List the known tracks that sound most alike, never of the same artist unless asked."""
    model = answering_model(*_chosen(run, among), device)
    found = model.similar(wanted, among, count, same_artist=same_artist, progress=progress())
    if found.remark:
        output.note(found.remark)
    if as_json:
        output.emit_json([vars(one) for one in found])
    else:
        rows = [
            (f"{one.distance:.3f}", one.track_id, one.genre, one.artist, one.title, one.path)
            for one in found
        ]
        columns = ["distance", "track", "genre", "artist", "title", "path"]
        output.show_table(columns, rows, right=["distance"])


def _chosen(run: str | None, among: str | None) -> tuple[str | None, str | None]:
    """The run whose space is used, or the dataset whose answering run's is."""
    if run is not None or among is None:
        return run, None
    from mgc.datasets.table import Dataset
    from mgc.prediction.similar import named

    source = named(among)
    return (None, source.name) if isinstance(source, Dataset) else (source.name, None)
