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

FORMATS: dict[str, AnswerFormat] = {".csv": "csv", ".jsonl": "jsonl", ".json": "json"}


class AnswerTally:
    """Counts the answers that pass through, and gives them their sets if a coverage is asked
    for."""

    def __init__(self, coverage: float | None = None) -> None:
        self.coverage = coverage
        self.done = 0
        self.failures: list[str] = []
        self.remarks: list[str] = []

    def counted(self, answers: Iterable[Prediction]) -> Iterator[Prediction]:
        """Pass answers on, counting each."""
        for answer in answers:
            if answer.error:
                self.failures.append(answer.error)
            else:
                self.done += 1
                if self.coverage is not None:
                    answer = replace(answer, set=answer.genres_at(self.coverage))
            if answer.remark:
                self.remarks.append(f"{answer.path}: {answer.remark}, so the genre means nothing.")
            yield answer


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
    from mgc.prediction.answer_stream import AnswerStream

    with AnswerStream(output.binary(), form, genres, coverage is not None) as stream:
        for answer in answers:
            stream.write(answer)


def write_answers(
    into: Path,
    form: AnswerFormat,
    model: Model,
    files: list[Path],
    workers: int | None,
    tally: AnswerTally,
) -> list[Path]:
    """Add the answers that a file lacks; returns the files that these are about."""
    from mgc.prediction.answer_file import AnswerFile

    request = {**model.predictor.identity(), "coverage": tally.coverage}
    target = AnswerFile(into, form, model.genres, request)
    missing = target.missing(files)
    if there := len(files) - len(missing):
        output.note(f"{into} has {output.count(there, 'answer')} of {len(files):,} already.")
    with target.writing() as add:
        for answer in tally.counted(model.predict_many(missing, workers, progress())):
            add(answer)
    output.note(f"Written: {into} ({output.count(len(files), 'answer')}).")
    return missing


def _show(done: list[Prediction], top: int, coverage: float | None) -> None:
    rows = []
    for answer in done:
        ranked = answer.ranked()
        others = ", ".join(f"{genre} {output.percent(p)}" for genre, p in ranked[1:top])
        row = [answer.path, ranked[0][0], output.percent(ranked[0][1]), others]
        rows.append([*row, *([" or ".join(answer.set)] if answer.set is not None else [])])
    if rows:
        sets = [] if coverage is None else [f"at {100 * coverage:g} %"]
        output.show_table(["file", "genre", "%", "else", *sets], rows, right=["%"])
