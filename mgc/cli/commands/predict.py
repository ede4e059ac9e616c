"""``mgc predict``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgc.cli.ui import answers, options, output, timeline_answers
from mgc.cli.ui.chosen_model import answering_model
from mgc.cli.ui.live import progress
from mgc.cli.ui.output import JsonOption
from mgc.errors import MgcError, UsageError

if TYPE_CHECKING:
    from mgc.prediction.model import Model

SHOWN = 3
UNKNOWN = 0.01  # mgc.runs.reference.UNKNOWN, which would import NumPy


def predict(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="FILE|FOLDER...", help="Audio.")
    ] = None,
    run: options.RunName = None,
    data: options.DataName = None,
    genres: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Genres in your own words, with commas; no run is needed."
        ),
    ] = None,
    extractor: Annotated[
        str | None,
        typer.Option("--extractor", "-e", help="With --genres: the one that compares."),
    ] = None,
    settings: options.Settings = None,
    device: options.Device = "auto",
    workers: options.Workers = None,
    as_json: JsonOption = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print a line of JSON per file, as each is done.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    into: Annotated[
        Path | None,
        options.output_file(
            "Write to FILE.csv, .jsonl or .json; the same command continues it. A timeline: "
            ".csv, .json, .txt (labels for Audacity), .png or .svg.",
            "FILE",
        ),
    ] = None,
    files_from: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-", help="Take paths from a file (or stdin): a line or a NUL each; m3u8."
        ),
    ] = None,
    top: Annotated[int, typer.Option(help="Genres shown per file.", min=1)] = SHOWN,
    coverage: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Also give sets of genres that hold the true one this often, such as 0.9.",
        ),
    ] = None,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Say which genre is heard when in one file.")
    ] = False,
    window: Annotated[
        float | None,
        typer.Option(
            help="Timeline: seconds an answer is about (default: 10).", callback=options.finite
        ),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(
            help="Timeline: seconds between answers (default: half of it).", callback=options.finite
        ),
    ] = None,
    smooth: Annotated[
        float | None,
        typer.Option(
            help="Timeline: ignore changes that are shorter than this, unless they are clear (s).",
            callback=options.finite,
        ),
    ] = None,
    unknown: Annotated[
        float,
        typer.Option(
            metavar="RATE",
            help="Share of music that may be lost as unknown; 0: none.",
            min=0,
            max=0.5,
        ),
    ] = UNKNOWN,
) -> None:
    """Say which genre each audio file is, and how confident the run is."""
    if timeline:
        unused = {"--top": top != SHOWN, "--workers": workers, "--coverage": coverage is not None}
        options.refuse_unused("with --timeline", {**unused, "--unknown": unknown != UNKNOWN})
        shown = timeline_answers.checked_form(as_json, as_jsonl, as_csv, into)
    else:
        lengths = {"--window": window, "--hop": hop, "--smooth": smooth}
        options.refuse_unused("without --timeline", {n: v is not None for n, v in lengths.items()})
        form = answers.answer_format(as_json, as_jsonl, as_csv, into)
        if form is not None:
            options.refuse_unused(f"with --{form}", {"--top": top != SHOWN})
    files = _files(paths or [], files_from)
    if genres is None:
        options.refuse_unused("without --genres", {"--extractor": extractor, "--set": settings})
        model = answering_model(run, data, device)
    else:
        model = _zero_shot(genres, extractor, settings, device, {"--run": run, "--data": data})
    if timeline:
        file = timeline_answers.only_file(files)
        made = model.timeline(file, window, hop, smooth, progress())
        timeline_answers.show_timeline(made, shown, into)
        answers.note_if_heard(model, file)
        return
    if coverage is not None:
        output.note(f"sets: {model.sets.about(coverage)}")
    answers.note_limit(model, unknown)
    tally = answers.AnswerTally(coverage)
    if into is not None and form is not None:
        files = answers.write_answers(into, form, model, files, workers, tally, unknown)
    else:
        predictions = tally.counted(model.predict_many(files, workers, progress(), unknown))
        answers.print_answers(predictions, form, model.genres, top, coverage)
    answers.note_remarks(model, tally)
    answers.note_heard_before(tally.heard_before, len(files))
    if tally.failures:
        output.note(
            f"{output.count(len(tally.failures), 'file')} of {len(files):,} could not be used:"
        )
        output.list_failures(list(dict.fromkeys(tally.failures)))  # a head's are all the same
    if files and not tally.done:
        raise MgcError("No file could be used.", "The reasons are listed above.")


def _files(paths: Sequence[str], files_from: str | None) -> list[Path]:
    from mgc.audio.audio_files import collect
    from mgc.audio.path_lists import listed

    if not paths and files_from is None:
        raise UsageError("Which audio?", "For example: mgc predict song.mp3")
    found = collect([Path(path) for path in options.existing(paths)]) if paths else []
    return list(dict.fromkeys([*found, *(listed(files_from) if files_from is not None else [])]))


def _zero_shot(
    genres: str,
    extractor: str | None,
    settings: list[str] | None,
    device: str,
    unused: dict[str, object],
) -> Model:
    options.refuse_unused("with --genres", unused)
    from mgc import resolve
    from mgc.prediction.zero_shot import zero_shot

    model = zero_shot(genres, extractor, settings or [], resolve.device(device))
    output.note(f"extractor: {model.name} (compares the audio with the names; nothing was trained)")
    return model
