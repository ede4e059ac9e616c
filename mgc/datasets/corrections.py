"""What people said about the labels of tracks: a table of answers.

``corrections/NAME.jsonl`` at home has one line of JSON per answer, which is on the disk before
`Corrections.add` returns; lines are only added, and stay if the dataset is removed. Lines that mgc
writes hold a checksum; people may write lines of their own without one.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from mgc.audio.processes.locks import held
from mgc.datasets import table
from mgc.errors import MgcError, UsageError
from mgc.home import CHANGED, OWN, SPACE, bytes_of, home, sealed

Answer = Literal["genre", "several", "not music", "skip"]
UNDO = "undo"
SUFFIX = ".jsonl"


class Correction(NamedTuple):
    """An answer about one track; ``genres`` are those it has, none if that was not said."""

    track_id: str
    answer: Answer
    genres: Sequence[str] = ()


class Corrections:
    """A table of answers, by its name at home or the path of a ``.jsonl`` file."""

    def __init__(self, name: str | os.PathLike[str]) -> None:
        text = os.fspath(name)
        at_home = not text.endswith(SUFFIX)
        self.path = (
            home() / "corrections" / f"{table.checked_name(text)}{SUFFIX}"
            if at_home
            else Path(text).expanduser()
        )

    def add(self, corrections: Iterable[tuple[str, Answer, Sequence[str]]]) -> None:
        """Append answers, see `Correction`.

        Raises UsageError for what is no answer, MgcError if they cannot be written; else they are
        on the disk when this returns.
        """
        rows = [Correction(*one)._asdict() for one in corrections]
        for row in rows:
            try:
                _put([], row)
            except (ValueError, TypeError) as error:
                hint = f"An answer is one of: {', '.join(get_args(Answer))}."
                raise UsageError(f"{row['track_id']!r:.80}: {error}.", hint) from error
        with self._opened() as file:
            _append(file, rows)

    def undo(self, track_id: str | None = None) -> Correction | None:
        """Take back the last answer (about one track) and return it; None if there is none."""
        if not self.path.exists():
            return None
        with self._opened() as file:
            answers = [a for a in self._standing() if track_id in (None, a.track_id)]
            if answers:
                _append(file, [{"track_id": answers[-1].track_id, "answer": UNDO}])
        return answers[-1] if answers else None

    def answers(self) -> dict[str, Correction]:
        """The last answer about each track that was not undone, in the order of the answers; a
        track that was skipped keeps an earlier answer.

        Raises MgcError for a line that is damaged; a half-written last line was never an answer.
        """
        found: dict[str, Correction] = {}
        for one in self._standing():
            if one.answer != "skip" or one.track_id not in found:
                found.pop(one.track_id, None)
                found[one.track_id] = one
        return found

    def _standing(self) -> list[Correction]:
        """All answers but those that were undone."""
        made: list[Correction] = []
        for number, line in enumerate(self._lines(), 1):
            try:
                _put(made, json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise MgcError(
                    f"{self.path} is damaged in line {number}: {error}.", "Mend or remove the line."
                ) from error
        return made

    def _lines(self) -> list[bytes]:
        try:
            return bytes_of(self.path).split(b"\n")[:-1] if self.path.exists() else []
        except OSError as error:
            raise MgcError(f"{self.path} cannot be read: {error}.", "Check the file.") from error

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The file, to append to, for one process and thread at a time."""
        try:
            with (
                held(self.path.with_name(f"{self.path.name}.lock"), wait=True),
                open(self.path, "ab+", buffering=0) as file,
            ):
                _drop_half_line(file)
                yield file
        except OSError as error:
            raise MgcError(
                f"Cannot write {self.path}: {error.strerror or error}.", SPACE
            ) from error


def _append(file: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add lines, on the disk when this returns. Raises OSError."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    lines = [json.dumps(sealed({**row, "time": now}), ensure_ascii=False) for row in rows]
    content = "".join(f"{line}\n" for line in lines).encode()
    if file.write(content) != len(content):
        raise OSError("the disk is full")
    os.fsync(file.fileno())


def _put(made: list[Correction], row: Mapping[str, Any]) -> None:
    """Add the answer of a line, or take back the one that it undoes. Raises ValueError, KeyError or
    TypeError for a line that is neither."""
    if OWN in row and sealed(row)[OWN] != row[OWN]:
        raise ValueError(f"it {CHANGED}")
    one = Correction(row["track_id"], row["answer"], tuple(row.get("genres", ())))
    if not all(isinstance(text, str) for text in (one.track_id, *one.genres)):
        raise TypeError("an id or a genre is not text")
    if one.answer == UNDO:
        there = [place for place, each in enumerate(made) if each.track_id == one.track_id]
        if not there:
            raise ValueError(f"there is no answer about {one.track_id!r} to undo")
        del made[there[-1]]
    elif one.answer in get_args(Answer) and (one.genres or one.answer != "genre"):
        made.append(one)
    else:
        raise ValueError(f"{one.answer!r:.40} is no answer, or one without its genre")


def _drop_half_line(file: Any) -> None:
    """Remove what a crash left after the last whole line."""
    if file.seek(0, os.SEEK_END):
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
