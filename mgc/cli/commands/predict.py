"""``mgc predict``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgc.cli.ui import choice, output
from mgc.cli.ui.live import progress
from mgc.cli.ui.options import (
    DataName,
    Device,
    Settings,
    Workers,
    existing,
    refuse_unused,
    writable,
)
from mgc.cli.ui.output import JsonOption
from mgc.errors import MgcError, UsageError

if TYPE_CHECKING:
    from mgc.prediction.answer_stream import AnswerFormat
    from mgc.prediction.model import Model
    from mgc.prediction.prediction import Prediction
    from mgc.runs import Run

SHOWN = 3
FORMATS: dict[str, AnswerFormat] = {".csv": "csv", ".jsonl": "jsonl", ".json": "json"}


def predict(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="FILE|FOLDER...", help="Audio.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(help="Run, or a label such as 'stacking' (default: see mgc compare, ●)."),
    ] = None,
    data: DataName = None,
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
    settings: Settings = None,
    device: Device = "auto",
    workers: Workers = None,
    as_json: JsonOption = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print a line of JSON per file, as each is done.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    into: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to FILE.csv, .jsonl or .json; the same command continues it.",
            callback=writable,
        ),
    ] = None,
    files_from: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-", help="Take paths from a file (or stdin): a line or a NUL each; m3u8."
        ),
    ] = None,
    top: Annotated[int, typer.Option(help="Genres shown per file.", min=1)] = SHOWN,
) -> None:
    """Say which genre each audio file is, and how confident the run is."""
    form = _format(as_json, as_jsonl, as_csv, into)
    if form is not None:
        refuse_unused(f"with --{form}", {"--top": top != SHOWN})
    files = _files(paths or [], files_from)
    model = (
        _model(run, data, device, {"--extractor": extractor, "--set": settings})
        if genres is None
        else _zero_shot(genres, extractor, settings, device, {"--run": run, "--data": data})
    )
    tally = _Tally()
    if into is not None and form is not None:
        files = _into_file(into, form, model, files, workers, tally)
    else:
        answers = tally.counted(model.predict_many(files, workers, progress()))
        _print(answers, form, model.genres, top)
    output.list_failures(tally.remarks)
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
    found = collect([Path(path) for path in existing(paths)]) if paths else []
    return list(dict.fromkeys([*found, *(listed(files_from) if files_from is not None else [])]))


class _Tally:
    """Counts the answers that pass through."""

    def __init__(self) -> None:
        self.done = 0
        self.failures: list[str] = []
        self.remarks: list[str] = []

    def counted(self, answers: Iterable[Prediction]) -> Iterator[Prediction]:
        for answer in answers:
            if answer.error:
                self.failures.append(answer.error)
            else:
                self.done += 1
            if answer.remark:
                self.remarks.append(f"{answer.path}: {answer.remark}, so the genre means nothing.")
            yield answer


def _format(as_json: bool, as_jsonl: bool, as_csv: bool, into: Path | None) -> AnswerFormat | None:
    """The format of the answers; None is a table."""
    asked = {"json": as_json, "jsonl": as_jsonl, "csv": as_csv}
    named: list[AnswerFormat] = [form for form in FORMATS.values() if asked[form]]
    if len(named) > 1:
        raise UsageError(
            f"Only one of {' and '.join(f'--{form}' for form in named)} can be written.",
            "Choose one.",
        )
    if named or into is None:
        return named[0] if named else None
    if into.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{into} does not say which format it is.", "End it in .csv, .jsonl or .json."
        )
    return FORMATS[into.suffix.lower()]


def _print(
    answers: Iterable[Prediction], form: AnswerFormat | None, genres: list[str], top: int
) -> None:
    """Print answers as they come; a table, also after Ctrl-C, when there are no more."""
    if form is None:
        done: list[Prediction] = []
        try:
            done.extend(answer for answer in answers if not answer.error)
        finally:
            _show(done, top)
        return
    from mgc.prediction.answer_stream import AnswerStream

    with AnswerStream(output.binary(), form, genres) as stream:
        for answer in answers:
            stream.write(answer)


def _into_file(
    into: Path,
    form: AnswerFormat,
    model: Model,
    files: list[Path],
    workers: int | None,
    tally: _Tally,
) -> list[Path]:
    """Add the answers that a file lacks; returns the files that these are about."""
    from mgc.prediction.answer_file import AnswerFile

    target = AnswerFile(into, form, model.genres, model.predictor.identity())
    missing = target.missing(files)
    if there := len(files) - len(missing):
        output.note(f"{into} has {output.count(there, 'answer')} of {len(files):,} already.")
    with target.writing() as add:
        for answer in tally.counted(model.predict_many(missing, workers, progress())):
            add(answer)
    output.note(f"Written: {into} ({output.count(len(files), 'answer')}).")
    return missing


def _model(run: str | None, data: str | None, device: str, unused: dict[str, object]) -> Model:
    refuse_unused("without --genres", unused)
    chosen = _run(run, data)
    from mgc import resolve
    from mgc.prediction.model import Model

    return Model(chosen, resolve.device(device))


def _zero_shot(
    genres: str,
    extractor: str | None,
    settings: list[str] | None,
    device: str,
    unused: dict[str, object],
) -> Model:
    refuse_unused("with --genres", unused)
    from mgc import resolve
    from mgc.prediction.zero_shot import zero_shot

    model = zero_shot(genres, extractor, settings or [], resolve.device(device))
    output.note(f"extractor: {model.name} (compares the audio with the names; nothing was trained)")
    return model


def _run(name: str | None, data: str | None) -> Run:
    """The named run, or the one that answers; stderr says which it is, and why."""
    from mgc import resolve, runs
    from mgc.prediction import ready_models
    from mgc.runs import answering, selection

    if name is not None:
        found = ready_models.find(name) or selection.one(name, choice.dataset_or_none(data))
        choice.check_dataset([found], data)
        return found
    if data is None and not runs.names():
        return _ready_made()
    dataset = resolve.dataset_name(data)
    answer = answering.answering(runs.everything()[0], dataset)
    if answer is None:
        raise MgcError(
            f"There is no finished run on {dataset}.",
            f"Run: mgc fit --extractor mfcc --data {dataset}",
        )
    output.note(f"run: {answer.run.name} ({answer.run.title} on {dataset}: {answer.reason})")
    if data is None and choice.is_demo(dataset):
        output.note(
            f"{dataset} is the demo: its runs know synthesised music only. For your own music: "
            "mgc data add NAME PATH"
        )
    return answer.run


def _ready_made() -> Run:
    """A ready-made model. Raises MgcError, saying how to get one, if none is here."""
    from mgc.prediction import ready_models

    if found := ready_models.first():
        output.note(f"run: {found.name} (ready-made: nothing has been trained here)")
        return found
    names = [info.name for info in ready_models.declared()]
    get = f"mgc models get {(names or ['musicnn-msd'])[0]}"
    install = "" if names else "pip install mgc-musicnn; "
    raise MgcError(
        "Nothing has been trained here.",
        f"For a ready-made model: {install}{get}. To train your own: mgc fit --extractor mfcc",
    )


def _show(done: list[Prediction], top: int) -> None:
    rows = []
    for answer in done:
        ranked = answer.ranked()
        others = ", ".join(f"{genre} {output.percent(p)}" for genre, p in ranked[1:top])
        rows.append((answer.path, ranked[0][0], output.percent(ranked[0][1]), others))
    if rows:
        output.show_table(["file", "genre", "%", "else"], rows, right=["%"])
