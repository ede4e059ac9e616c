"""Predictions as CSV, JSON lines or one JSON array, each written as soon as it is made."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Literal, Self

from mgc.datasets.csv_cells import csv_row
from mgc.prediction.prediction import Prediction
from mgc.prediction.unlike import HeardBefore

#: The columns of a CSV file behind those of the genres.
ADDED = ("error", "remark", "unlike", "known", "heard_before", "out_of_fold_genre")
AnswerFormat = Literal["csv", "jsonl", "json"]


def as_record(answer: Prediction) -> dict[str, Any]:
    """A prediction as JSON shows it: its genre and probabilities, or its error."""
    if answer.error:
        return {"path": str(answer.path), "genre": None, "error": answer.error}
    record: dict[str, Any] = {
        "path": str(answer.path),
        "genre": answer.genre,
        "probability": answer.probability,
        "probabilities": dict(answer.ranked()),
        "unlike": answer.unlike,
        "known": answer.known,
    }
    before = answer.heard_before
    record |= {"remark": answer.remark} if answer.remark else {}
    record |= {"heard_before": asdict(before)} if before else {}
    return record | ({"set": list(answer.set)} if answer.set is not None else {})


def json_line(value: Any) -> bytes:
    """A value as one line of JSON.

    Bytes of a file's name that are not UTF-8 become ``\\udcXX``, which JSON reads back as the
    same name.
    """
    return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


class AnswerStream:
    """Writes predictions, as records of `as_record`, to a binary stream and flushes each.

    `begin` and `end` stand around the answers; as a context it calls them, after Ctrl-C too.
    ``sets`` says whether the answers have sets: CSV has a column more.
    """

    def __init__(
        self, stream: IO[bytes], form: AnswerFormat, genres: Sequence[str], sets: bool = False
    ) -> None:
        self.stream = stream
        self.form = form
        self.genres = genres
        self.sets = sets
        self.empty = True

    def begin(self) -> None:
        """Write what comes before the first answer."""
        if self.form == "csv":
            last = [*ADDED, *(["set"] if self.sets else [])]
            self._put(_row(["path", "genre", "probability", *self.genres, *last]))
        elif self.form == "json":
            self._put(b"[")

    def end(self) -> None:
        """Write what comes after the last answer."""
        if self.form == "json":
            self._put(b"]\n" if self.empty else b"\n]\n")

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def write(self, answer: Mapping[str, Any]) -> None:
        """Write one answer."""
        if self.form == "csv":
            self._put(self._cells(answer))
        elif self.form == "jsonl":
            self._put(json_line(answer))
        else:
            text = json.dumps(answer, indent=2, ensure_ascii=False)
            indented = ("\n" if self.empty else ",\n") + textwrap.indent(text, "  ")
            self._put(indented.encode("utf-8", "backslashreplace"))
        self.empty = False

    def _cells(self, answer: Mapping[str, Any]) -> bytes:
        path, sets = Path(answer["path"]), ["; ".join(answer.get("set", ()))] if self.sets else []
        if "error" in answer:
            empty = [""] * (2 + len(self.genres))
            return _row([path, *empty, answer["error"], *[""] * (len(ADDED) - 1), *sets])
        shares = (answer["probabilities"][genre] for genre in self.genres)
        numbers = [f"{p:.6f}" for p in (answer["probability"], *shares)]
        judged = ["" if value is None else value for value in (answer["unlike"], answer["known"])]
        before = HeardBefore(**answer.get("heard_before", {"track_id": "", "genre": ""}))
        added = ["", answer.get("remark", ""), *judged, before.track_id, before.answer]
        return _row([path, answer["genre"], *numbers, *added, *sets])

    def _put(self, content: bytes) -> None:
        self.stream.write(content)
        self.stream.flush()


def _row(cells: Sequence[object]) -> bytes:
    return csv_row(cells).encode("utf-8", "backslashreplace")
