"""What ``mgc predict --timeline`` prints, or writes to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mgc.cli.ui import output
from mgc.errors import UsageError

if TYPE_CHECKING:
    from mgc.prediction.timeline import Timeline

TEXTS = (".json", ".csv", ".txt")
PICTURES = (".png", ".svg", ".pdf")


def checked_form(as_json: bool, as_jsonl: bool, as_csv: bool, into: Path | None) -> str:
    """How a timeline is shown: a suffix of `TEXTS` or `PICTURES`, or "" for a table."""
    asked = [".json"] * as_json + [".csv"] * as_csv + ([into.suffix.lower()] if into else [])
    if as_jsonl or len(asked) > 1:
        raise UsageError("A timeline is written in one way.", "Choose --json, --csv, or -o FILE.")
    if into and asked[0] not in (*TEXTS, *PICTURES):
        raise UsageError(
            f"A timeline cannot be written as {into}.",
            f"End it in {', '.join(TEXTS)} (labels for Audacity) or {', '.join(PICTURES)}.",
        )
    return asked[0] if asked else ""


def only_file(files: Sequence[Path]) -> Path:
    """The one file of a timeline. Raises UsageError if there are several."""
    if len(files) > 1:
        raise UsageError(f"--timeline is about one file, not {len(files):,}.", "Name one.")
    return files[0]


def show_timeline(made: Timeline, form: str, into: Path | None) -> None:
    """Print a timeline in a form of `checked_form`, or write it to a file."""
    from mgc.prediction.timeline import span, written

    if form in PICTURES and into is not None:
        from mgc.reporting import plots
        from mgc.reporting.time_plots import draw_timeline

        plots.save(draw_timeline(made), into)
    elif form:
        from mgc.home import replace_file

        content = written(made, form)
        if into is None:
            output.binary().write(content)
        else:
            replace_file(into, content)
    if into is not None:
        output.note(f"Written: {into} ({output.count(len(made.segments), 'segment')}).")
    elif not form:
        rows = [
            (span(part), part.genre or "–", output.percent(part.probability) if part.genre else "–")
            for part in made.segments
        ]
        output.show_table(["time", "genre", "%"], rows, right=["%"])
    for part in made.segments:
        if part.remark:
            output.note(f"{span(part)}: {part.remark}, so it has no genre.")
