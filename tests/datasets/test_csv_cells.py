"""CSV for people: no cell is a formula, and reading it back gives what was there."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mgc.datasets.csv_cells import guarded, unguarded
from mgc.datasets.importers.manifest import import_manifest
from mgc.datasets.summary import export
from mgc.datasets.table import Dataset
from mgc.evaluation.text_tables import Table, comma_separated
from mgc.prediction.answer_stream import AnswerStream, as_record
from mgc.prediction.prediction import Prediction

TEXTS = [
    "=1+1",
    "+x",
    "-x",
    "@x",
    "\tx",
    "\rx",
    "'=x",
    "''=x",
    "'",
    "'x",
    "-",
    "--5",
    "=",
    "+",
    "é=",
    "",
    "-5",
    "+5.5",
    "-1e-3",
    "'-5",
    "'+5.5",
    "5",
    '=HYPERLINK("http://x")',
    "a\r\nb",
    '"',
    ",",
    ";",
    "-5,3",
    "- 5",
    "+.5",
    "-0x1",
    "=\x1b[31m",
    "@\n=",
]


@pytest.mark.parametrize("text", TEXTS)
def test_reading_gives_what_was_written(text: str) -> None:
    assert unguarded(str(guarded(text))) == text


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_written_is_a_number_or_no_formula(text: str) -> None:
    said = str(guarded(text))
    if said[:1] in tuple("=+-@\t\r"):
        float(said)


@pytest.mark.parametrize("number", [-1, -0.5, np.float64(-2), np.int64(-3), None])
def test_numbers_stay(number: object) -> None:
    assert guarded(number) is number


def test_a_relative_path_begins_with_its_folder() -> None:
    assert guarded(Path("=x/y.wav")) == "./=x/y.wav"
    assert guarded(Path("a/=x.wav")) == Path("a/=x.wav")
    assert guarded(Path("/=x.wav")) == Path("/=x.wav")


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_export_and_add_are_the_identity(tmp_path: Path, suffix: str) -> None:
    count = len(TEXTS)
    tracks = pd.DataFrame(
        {
            "track_id": [f"-{i:02d}'{text.strip()}" for i, text in enumerate(TEXTS)],
            "path": [str(tmp_path / f"=+{i} 'x.wav") for i in range(count)],
            "genre": [f"=genre {i % 3}" for i in range(count)],
            "split": "training",
            "artist": TEXTS,
            "album": TEXTS[::-1],
            "title": TEXTS,
            "duration": np.linspace(1, 9, count),
            "=note": TEXTS,
        }
    )
    path = tmp_path / f"out{suffix}"
    export(Dataset("d", tracks, tmp_path, {}), path)
    again = import_manifest(path)
    pd.testing.assert_frame_equal(
        again[list(tracks)].astype(object), tracks.astype(object), check_dtype=False
    )


def test_tables_and_predictions_are_guarded() -> None:
    table = comma_separated([Table("t", ["=a", "b"], [["@x", -1.5], ["y", "-2.5"]])])
    assert list(csv.reader(io.StringIO(table))) == [["'=a", "b"], ["'@x", "-1.5"], ["y", "-2.5"]]
    made = io.BytesIO()
    with AnswerStream(made, "csv", ["=folk", "jazz"]) as stream:
        stream.write(as_record(Prediction(Path("-x.wav"), {"=folk": 0.75, "jazz": 0.25})))
        stream.write(as_record(Prediction(Path("/a.wav"), error="@x: does not decode.")))
    rows = list(csv.reader(io.StringIO(made.getvalue().decode())))
    assert rows[0][3] == "'=folk"
    assert rows[1][:4] == ["./-x.wav", "'=folk", "0.750000", "0.750000"]
    assert rows[2][rows[0].index("error")] == "'@x: does not decode."
