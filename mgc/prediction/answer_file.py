"""A file of predictions that the same command continues after a stop at any moment."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from mgc.audio import decoding
from mgc.audio.file_cache import Stamp, stamp
from mgc.errors import AudioError, MgcError, UsageError
from mgc.home import SPACE, replace_file, replacing
from mgc.prediction.answer_stream import AnswerFormat, AnswerStream, as_record, json_line
from mgc.prediction.prediction import Prediction

SCHEMA = 2  # of the journal


class AnswerFile:
    """Predictions in a file, with a journal beside it from which they can be continued.

    The journal, ``FILE.made-by.jsonl``, holds the request, then a line per answer with the
    content hash of its audio, written before the answer is. CSV and JSON lines grow with every
    answer; a JSON array gets its name when it is whole.

    Args:
        path: the file.
        form: its format.
        genres: the model's genres, in its order.
        request: what makes the answers, as plain values.
    """

    def __init__(
        self, path: Path, form: AnswerFormat, genres: Sequence[str], request: Mapping[str, Any]
    ) -> None:
        self.path = path
        self.form = form
        self.genres = genres
        self.request = {"schema": SCHEMA, "format": form, "genres": list(genres), **request}
        self.journal = path.with_name(f"{path.name}.made-by.jsonl")

    def missing(self, files: Sequence[Path]) -> list[Path]:
        """The files that have no answer yet.

        Raises UsageError if the file was made by another request, from other files or other
        contents of these, or was changed since.
        """
        asked, done = {str(file): file for file in files}, set[str]()
        if not self.journal.exists() and self.path.exists():
            raise self._other(f"there is no {self.journal.name} beside it to say what made it")
        for entry in self._entries():
            name = entry["answer"]["path"]
            if name not in asked:
                raise self._other(f"it has an answer for {name}, which is not asked for now")
            if not _unchanged(asked[name], entry):
                raise self._other(f"{name} has changed since it was predicted")
            done.add(name)
        if self.path.exists() and not self._as_written():
            raise self._other("it was changed after it was written")
        return [file for name, file in asked.items() if name not in done]

    @contextmanager
    def writing(self) -> Iterator[Callable[[Prediction], None]]:
        """A function that adds an answer.

        Raises MgcError if the files cannot be written.
        """
        try:
            with replacing(self.journal) as file:
                file.writelines(map(json_line, chain([self.request], self._entries())))
            with open(self.journal, "ab") as journal, self._growing() as stream:
                answers = self._replayed(stream)

                def add(answer: Prediction) -> None:
                    record = as_record(answer)
                    journal.write(json_line({"answer": record, **_identity(answer.path)}))
                    journal.flush()
                    answers.write(record)

                yield add
                if isinstance(stream, io.BytesIO):
                    answers.end()
                    replace_file(self.path, stream.getvalue())
        except OSError as error:
            raise MgcError(f"Cannot write {self.path}: {error.strerror}.", SPACE) from error

    def _growing(self) -> IO[bytes]:
        return io.BytesIO() if self.form == "json" else open(self.path, "wb")

    def _entries(self) -> Iterator[dict[str, Any]]:
        """The answers of the journal, if it is this request's, one after another."""
        if not self.journal.exists():
            return
        with open(self.journal, "rb") as lines:
            whole = (line for line in lines if line.endswith(b"\n"))  # the last may be half a line
            try:
                said = json.loads(next(whole, b""))
                if differs := [key for key, own in self.request.items() if said.get(key) != own]:
                    raise self._other(f"it was made with another {differs[0]}")
                yield from map(json.loads, whole)
            except ValueError:
                raise self._other(f"{self.journal.name} is damaged") from None

    def _as_written(self) -> bool:
        """Whether the file is how the journal's answers look, or the beginning of that."""
        with open(self.path, "rb") as found:
            if self.form == "json":
                records = json.load(found)
                made = islice(self._entries(), len(records))
                return bool(records == [entry["answer"] for entry in made])
            same = _Same(found)
            self._replayed(same)
            return same.so_far and not found.read(1)

    def _replayed(self, stream: IO[bytes]) -> AnswerStream:
        """A begun output with the journal's answers in it."""
        sets = self.request.get("coverage") is not None
        answers = AnswerStream(stream, self.form, self.genres, sets)
        answers.begin()
        for entry in self._entries():
            answers.write(entry["answer"])
        return answers

    def _other(self, why: str) -> UsageError:
        return UsageError(
            f"{self.path} cannot be continued: {why}.",
            f"Choose another file with -o, or remove this one and {self.journal.name}.",
        )


class _Same(io.BytesIO):
    """Compares what is written to it with a file, which may end earlier."""

    def __init__(self, found: IO[bytes]) -> None:
        super().__init__()
        self.found, self.so_far = found, True

    def write(self, content: Any) -> int:
        self.so_far = self.so_far and content.startswith(self.found.read(len(content)))
        return len(content)


def _identity(path: Path | None) -> dict[str, Any]:
    """What tells whether a file is still the same; the stamp saves reading it again."""
    assert path is not None
    try:
        return {"stamp": stamp(path), "sha256": decoding.content_hash(path)}
    except AudioError:
        return {"stamp": None, "sha256": None}


def _unchanged(path: Path, entry: Mapping[str, Any]) -> bool:
    now, then = stamp(path), entry["stamp"]
    if now and then and now.is_same(Stamp(*then)):
        return True
    return bool(_identity(path)["sha256"] == entry["sha256"])
