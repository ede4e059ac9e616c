"""``mgc explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgc.cli.ui import output
from mgc.cli.ui.answers import note_if_heard
from mgc.cli.ui.chosen_model import answering_model
from mgc.cli.ui.live import progress
from mgc.cli.ui.options import DataName, Device, RunName, a_folder, existing
from mgc.cli.ui.output import JsonOption

if TYPE_CHECKING:
    from mgc.prediction.explanation import Explanation


def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Audio.", callback=existing)],
    run: RunName = None,
    data: DataName = None,
    genre: Annotated[
        str | None, typer.Option(help="The genre to explain (default: the most likely).")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Write a picture, the most telling seconds as WAV, and all figures as JSON.",
            callback=a_folder,
        ),
    ] = None,
    device: Device = "auto",
    as_json: JsonOption = False,
) -> None:
    """Say which members, seconds and frequency bands decide the answer for a file."""
    model = answering_model(run, data, device)
    made = model.explain(file, genre, progress())
    if made.remark:
        output.note(f"{file}: {made.remark}, so the genre means nothing.")
    if into is not None:
        _write(made, into)
    if as_json:
        output.emit_json(made.as_record())
    else:
        _show(made)
    note_if_heard(model, file)


def _show(made: Explanation) -> None:
    from mgc.prediction.timeline import clock

    output.say(f"{made.genre} {output.percent(made.probability)} %")
    start, end = made.telling
    output.say(f"Most telling: {clock(start)}–{clock(end)}")
    if made.members:
        rows = [
            (view.name, view.genre, output.percent(view.probability), output.percent(view.without))
            for view in made.members
        ]
        columns = ["member", "genre", f"% {made.genre}", "% without it"]
        output.show_table(columns, rows, right=columns[2:])
    strongest = sorted(made.seconds, key=lambda part: -part.effect)[:5]
    digits = 1 if strongest[0].high - strongest[0].low >= 0.2 else 2  # s; of short sounds
    parts = [(f"{part.low:.{digits}f}–{part.high:.{digits}f} s", part) for part in strongest]
    parts += [(f"{part.low:,.0f}–{part.high:,.0f} Hz", part) for part in made.bands]
    lost = [(where, f"{part.effect:+.2f}") for where, part in parts]
    output.show_table(["part", "speaks for it"], lost, right=["speaks for it"])


def _write(made: Explanation, folder: Path) -> None:
    from mgc.home import json_bytes, replace_file
    from mgc.reporting import plots
    from mgc.reporting.time_plots import draw_explanation

    folder.mkdir(parents=True, exist_ok=True)
    plots.save(draw_explanation(made), folder / "explanation.png")
    replace_file(folder / "telling.wav", made.telling_wav())
    replace_file(folder / "explanation.json", json_bytes(made.as_record()))
    output.note(f"Written: {folder} (explanation.png, telling.wav, explanation.json).")
