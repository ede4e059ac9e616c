"""Answers written one at a time: valid after a stop at any byte, continued only by their own."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgc.errors import MgcError, UsageError
from mgc.prediction.answer_file import AnswerFile
from mgc.prediction.answer_stream import AnswerFormat, AnswerStream, as_record
from mgc.prediction.prediction import Prediction

GENRES = ["jazz", "rock"]
FORMS: tuple[AnswerFormat, ...] = ("csv", "jsonl", "json")
ODD_NAME = os.fsdecode(b'na\xc3\xafve \x85, "quoted".wav')


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Seven files, one of them with a name that is not UTF-8."""
    made = [tmp_path / name for name in ("a.wav", "b.wav", ODD_NAME, "c.wav", "d.wav", "e.wav")]
    for number, path in enumerate(made):
        path.write_bytes(b"sound %d" % number)
    return [*made, tmp_path / "missing.wav"]


def predicted(path: Path) -> Prediction:
    """A prediction that depends on the name only."""
    if path.name == "missing.wav":
        return Prediction(path, error=f"{path}: cannot be read.")
    share = (sum(os.fsencode(path.name)) % 997) / 997
    remark = "is digital silence" if path.name == "c.wav" else ""
    return Prediction(path, {"jazz": share, "rock": 1 - share}, 1.0, remark=remark)


def answers(path: Path, form: AnswerFormat, run: str = "x") -> AnswerFile:
    return AnswerFile(path, form, GENRES, {"run": run})


def write(target: AnswerFile, files: list[Path]) -> None:
    missing = target.missing(files)
    with target.writing() as add:
        for path in missing:
            add(predicted(path))


def records(form: AnswerFormat, content: bytes) -> list[dict[str, object]]:
    text = content.decode()  # UTF-8, whatever the names
    if form == "json":
        return list(json.loads(text))
    if form == "jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("form", FORMS)
def test_every_file_has_its_answer_in_order(
    form: AnswerFormat, files: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "answers"
    write(answers(target, form), files)
    found = records(form, target.read_bytes())
    assert [bool(row.get("error")) for row in found] == [False] * 6 + [True]
    assert [row["genre"] or None for row in found][:2] == [predicted(f).genre for f in files[:2]]
    assert found[3]["remark"] == "is digital silence"
    if form != "csv":
        assert [row["path"] for row in found] == [str(file) for file in files]
    out = io.BytesIO()
    with AnswerStream(out, form, GENRES) as stream:
        for file in files:
            stream.write(as_record(predicted(file)))
    assert out.getvalue() == target.read_bytes()  # stdout and file look the same


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs."""


def cut_copies(folder: Path, target: AnswerFile) -> Iterator[Path]:
    """Copies of an answer file and its journal as a kill could leave them: the journal cut at any
    byte, the answers at any byte up to those of the journal's whole lines."""
    journal, content = target.journal.read_bytes(), target.path.read_bytes()
    head = journal.index(b"\n") + 1
    for number, end in enumerate(range(head, len(journal) + 1, 97)):
        whole = journal[:end].count(b"\n") - 1
        lines = content.splitlines(keepends=True)
        most = b"".join(lines[: whole + (target.form == "csv")])
        copy = folder / str(number) / target.path.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(most[: len(most) - number % 5])
        copy.with_name(target.journal.name).write_bytes(journal[:end])
        yield copy


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_file_that_was_cut_anywhere_is_continued_to_the_same_bytes(
    form: AnswerFormat, files: list[Path], tmp_path: Path
) -> None:
    target = answers(tmp_path / "answers", form)
    write(target, files)
    copies = list(cut_copies(tmp_path / "cut", target))
    assert len(copies) > 10
    for copy in copies:
        again = answers(copy, form)
        journal = again.journal.read_bytes()
        missing = again.missing(files)
        assert len(missing) == len(files) - (journal.count(b"\n") - 1)  # nothing done is lost
        with again.writing() as add:
            for path in missing:
                add(predicted(path))
        assert copy.read_bytes() == target.path.read_bytes()


def stopped_after_three(target: AnswerFile, files: list[Path]) -> None:
    target.missing(files)
    with target.writing() as add:
        for path in files[:3]:
            add(predicted(path))
        raise Killed


def test_an_array_appears_whole_and_goes_on_after_a_stop(files: list[Path], tmp_path: Path) -> None:
    target = answers(tmp_path / "answers.json", "json")
    with pytest.raises(Killed):
        stopped_after_three(target, files)
    assert not target.path.exists()
    again = answers(target.path, "json")
    assert again.missing(files) == files[3:]
    write(again, files)
    assert len(records("json", target.path.read_bytes())) == 7
    more = files[0].with_name("more.wav")
    more.write_bytes(b"new")
    write(answers(target.path, "json"), [*files, more])
    assert len(records("json", target.path.read_bytes())) == 8


def changed(files: list[Path], target: Path) -> None:
    files[1].write_bytes(b"other!!")


def edited(files: list[Path], target: Path) -> None:
    target.write_bytes(target.read_bytes().replace(b"jazz", b"folk", 1))


def longer(files: list[Path], target: Path) -> None:
    target.write_bytes(target.read_bytes() + b"mine\n")


def alone(files: list[Path], target: Path) -> None:
    target.with_name(target.name + ".made-by.jsonl").unlink()


def fewer(files: list[Path], target: Path) -> None:
    files.pop(0)


def spoilt(files: list[Path], target: Path) -> None:
    target.with_name(target.name + ".made-by.jsonl").write_bytes(b"{\n")


REASONS = {
    changed: "b.wav has changed",
    edited: "changed after it was written",
    longer: "changed after it was written",
    alone: "to say what made it",
    fewer: "a.wav, which is not asked for now",
    spoilt: "damaged",
}


@pytest.mark.parametrize("harm", REASONS, ids=lambda harm: harm.__name__)
def test_a_file_of_something_else_is_refused_and_kept(
    harm: object, files: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "answers.csv"
    write(answers(target, "csv"), files)
    assert callable(harm)
    harm(files, target)
    before = target.read_bytes()
    with pytest.raises(UsageError, match=REASONS[harm]):  # type: ignore[index]
        answers(target, "csv").missing(files)
    assert target.read_bytes() == before


def test_another_run_or_format_is_refused(files: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "answers"
    write(answers(target, "csv"), files)
    with pytest.raises(UsageError, match="another run"):
        answers(target, "csv", run="y").missing(files)
    with pytest.raises(UsageError, match="another format"):
        answers(target, "jsonl").missing(files)


def test_a_touched_or_copied_file_is_still_the_same(files: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    write(answers(target, "csv"), files)
    os.utime(files[0], ns=(1, 1))
    assert answers(target, "csv").missing(files) == []


def test_a_folder_that_cannot_be_written_is_named(files: list[Path], tmp_path: Path) -> None:
    target = answers(tmp_path / "a.wav" / "answers.csv", "csv")
    with pytest.raises(MgcError, match=r"answers\.csv"), target.writing():
        pass
