"""The answers of ``mgc predict``: printed as they come, or added to a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mgc.cli.ui import output
from mgc.cli.ui.live import progress
from mgc.errors import UsageError

if TYPE_CHECKING:
    from mgc.prediction.answer_stream import AnswerFormat
    from mgc.prediction.model import Model
    from mgc.prediction.prediction import Prediction
    from mgc.prediction.unlike import HeardBefore

SHOWN = 5  # files that the run learnt from
MANY_UNKNOWN, MIN_FILES = 0.2, 10  # of so many files, this share is worth a note
FORMATS: dict[str, AnswerFormat] = {".csv": "csv", ".jsonl": "jsonl", ".json": "json"}


class AnswerTally:
    """Counts the answers that pass through, and gives them their sets if a coverage is asked
    for."""

    def __init__(self, coverage: float | None = None) -> None:
        self.coverage = coverage
        self.done = self.unknown = 0
        self.failures: list[str] = []
        self.remarks: list[str] = []
        self.heard_before: list[tuple[object, HeardBefore]] = []

    def counted(self, answers: Iterable[Prediction]) -> Iterator[Prediction]:
        """Pass answers on, counting each."""
        for answer in answers:
            if answer.error:
                self.failures.append(answer.error)
            else:
                self.done += 1
                self.unknown += answer.known is False
                if self.coverage is not None:
                    answer = replace(answer, set=answer.genres_at(self.coverage))
            if answer.remark:
                self.remarks.append(f"{answer.path}: {answer.remark}, so the genre means nothing.")
            if answer.heard_before:
                self.heard_before.append((answer.path, answer.heard_before))
            yield answer


def note_limit(model: Model, rate: float) -> None:
    """Say what the limit of unknown is if it is not the one that was asked for."""
    if model.run is None or not rate:
        return
    reference = model.predictor.reference
    if reference is None:
        is_ready_made = model.run.folder.parent.name == "models"
        way_out = f"run: mgc models get {model.name}" if is_ready_made else "fit it again"
        output.note(
            f"{model.name} keeps no reference of its training music, so no file can be unknown "
            f"(an earlier mgc made it: {way_out} to get one)."
        )
    elif rate < reference.smallest_rate:
        output.note(
            f"unknown: the limit loses {output.percent(reference.smallest_rate)} % of music, the "
            f"least that {len(reference.held_out)} held-out tracks allow."
        )


def note_remarks(model: Model, tally: AnswerTally) -> None:
    """Say what is to be known of single files, and what to do if many are unknown."""
    output.list_failures(tally.remarks)
    if tally.done >= MIN_FILES and tally.unknown > MANY_UNKNOWN * tally.done:
        output.note(
            f"{tally.unknown:,} of {tally.done:,} files are unlike the music that {model.name} "
            "learnt from. If they are music, fit a run on music like it, or answer with the best "
            "guesses: --unknown 0."
        )


def note_heard_before(found: list[tuple[object, HeardBefore]], files: int) -> None:
    """Say which files the run learnt from, and what it answered when it had not yet."""
    if not found:
        return
    output.note(
        f"The run learnt from {output.count(len(found), 'file')} of {files:,}, so what it "
        "says of them is no test; predicted when held out:"
    )
    output.list_failures(
        [f"{path}: {before.answer or 'never'} (labelled {before.genre})" for path, before in found],
        shown=SHOWN,
    )


def note_if_heard(model: Model, file: Path) -> None:
    """The same of one file."""
    before = model.heard_before(file)
    note_heard_before([(file, before)] if before else [], 1)


def answer_format(
    as_json: bool, as_jsonl: bool, as_csv: bool, into: Path | None
) -> AnswerFormat | None:
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


def print_answers(
    answers: Iterable[Prediction],
    form: AnswerFormat | None,
    genres: list[str],
    top: int,
    coverage: float | None = None,
) -> None:
    """Print answers as they come; a table, also after Ctrl-C, when there are no more."""
    if form is None:
        done: list[Prediction] = []
        try:
            done.extend(answer for answer in answers if not answer.error)
        finally:
            _show(done, top, coverage)
        return
    from mgc.prediction.answer_stream import AnswerStream, as_record

    with AnswerStream(output.binary(), form, genres, coverage is not None) as stream:
        for answer in answers:
            stream.write(as_record(answer))


def write_answers(
    into: Path,
    form: AnswerFormat,
    model: Model,
    files: list[Path],
    workers: int | None,
    tally: AnswerTally,
    unknown: float,
) -> list[Path]:
    """Add the answers that a file lacks; returns the files that these are about."""
    from mgc.prediction.answer_file import AnswerFile

    request = {**model.predictor.identity(), "coverage": tally.coverage, "unknown": unknown}
    target = AnswerFile(into, form, model.genres, request)
    missing = target.missing(files)
    if there := len(files) - len(missing):
        output.note(f"{into} has {output.count(there, 'answer')} of {len(files):,} already.")
    with target.writing() as add:
        for answer in tally.counted(model.predict_many(missing, workers, progress(), unknown)):
            add(answer)
    output.note(f"Written: {into} ({output.count(len(files), 'answer')}).")
    return missing


def _show(done: list[Prediction], top: int, coverage: float | None) -> None:
    rows = []
    for answer in done:
        shares = [(genre, output.percent(p)) for genre, p in answer.ranked()[:top]]
        genre, share = ("unknown", "") if answer.known is False else shares.pop(0)
        if genre == "unknown" and answer.known is not False:
            genre = '"unknown"'  # a genre of that name
        sets = [" or ".join(answer.set)] if answer.set is not None else []
        rows.append((answer.path, genre, share, ", ".join(" ".join(p) for p in shares), *sets))
    if rows:
        sets = [] if coverage is None else [f"at {100 * coverage:g} %"]
        output.show_table(["file", "genre", "%", "else", *sets], rows, right=["%"])
