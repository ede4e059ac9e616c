"""Listings on a real terminal of 40, 60 and 80 columns: nothing is broken over lines or dropped."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mgc.datasets import table
from mgc.datasets.table import Dataset
from tests.datasets.conftest import rows
from tests.evaluation.made_runs import made_run

WIDTHS = (40, 60, 80)
GENRES = ("folk", "Drum and Bass", "Contemporary Christian", "jazz", "metal", "rock", "soul", "pop")
SONG = "An Uncommonly Long Name of a Song (Live at the Opera) [2019 Remaster].flac"
COMMANDS = (
    "features list",
    "features show mel",
    "heads list",
    "strategies list",
    "models list",
    "plugins list",
    "data list",
    "data show songs",
    "runs list",
    "runs show made-up-mel-logistic-1",
    "compare made-up-mel-logistic-1 made-up-mfcc-svm-1 --by-genre --agreement",
    "plot confusion made-up-mel-logistic-1",
    "plot comparison made-up-mel-logistic-1 made-up-mfcc-svm-1",
    "the table of mgc predict",
)
CODES = re.compile(r"\x1b\[[0-9;]*m")
#: Every command at every width, and without a terminal: what it prints, as JSON in a file.
PROGRAM = """
import contextlib, fcntl, io, json, struct, sys, termios
from pathlib import Path
from mgc.cli.app import main
from mgc.cli.ui import answers
from mgc.prediction.prediction import Prediction

commands, widths, genres, song, target = json.loads(sys.argv[1])

def show(command):
    if command == "the table of mgc predict":
        return answers._show([Prediction(Path(song), dict.fromkeys(genres, 0.125))] * 2, 3, None)
    sys.argv = ["mgc", *command.split()]
    with contextlib.suppress(SystemExit):
        main()

class Copied:
    def __init__(self, stream):
        self.stream, self.text = stream, ""
    def write(self, text):
        self.text += text
        return self.stream.write(text)
    def __getattr__(self, name):
        return getattr(self.stream, name)

told, terminal = {}, sys.stdout
for command in commands:
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")) as plain:
        show(command)
    plain.flush()
    told[command] = {"plain": plain.buffer.getvalue().decode()}
    for width in widths:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        sys.stdout = Copied(terminal)
        show(command)
        told[command][width] = sys.stdout.text
        sys.stdout = terminal
Path(target).write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What each command prints, by width."""
    folder = tmp_path_factory.mktemp("widths")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGC_HOME", str(folder / "home"))
        patch.setenv("NO_COLOR", "1")
        patch.setenv("TERM", "xterm")
        patch.delenv("COLUMNS", raising=False)
        table.save(Dataset("songs", rows(), Path("/music")))
        for extractor, head in (("mel", "logistic"), ("mfcc", "svm")):
            made_run(extractor, head=head, genres=GENRES, tracks=400)
        request = json.dumps([COMMANDS, WIDTHS, GENRES, SONG, str(folder / "told.json")])
        ours, theirs = pty.openpty()
        words = [sys.executable, "-c", PROGRAM, request]
        env = dict(os.environ)  # without the COLUMNS that readline sets behind Python's back
        with (
            open(folder / "errors.txt", "wb") as errors,
            subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=errors, env=env) as process,
        ):
            os.close(theirs)
            while True:
                try:
                    if not os.read(ours, 1 << 16):
                        break
                except OSError:  # the other side has closed
                    break
        os.close(ours)
    assert process.returncode == 0, (folder / "errors.txt").read_text()
    answer: dict[str, dict[str, str]] = json.loads((folder / "told.json").read_text())
    return answer


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_word_is_whole(told: dict[str, dict[str, str]], command: str, width: int) -> None:
    expected, shown = told[command]["plain"], told[command][str(width)]
    assert len(expected.split()) > 3
    words = CODES.sub("", shown).split()
    implied = ("kind", "single") if command.startswith("compare") else ()
    wanted = [word for word in expected.split() if "─" not in word and word not in implied]
    assert [word for word in wanted if word not in words] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("the table of mgc predict", [SONG]),
        ("data show songs", ["g0", "g1"]),
        ("runs show made-up-mel-logistic-1", GENRES),
        (
            "compare made-up-mel-logistic-1 made-up-mfcc-svm-1 --by-genre --agreement",
            [*GENRES, "mel · logistic", "mfcc · svm"],
        ),
    ],
)
def test_names_are_in_one_line(
    told: dict[str, dict[str, str]], command: str, names: list[str], width: int
) -> None:
    lines = CODES.sub("", told[command][str(width)]).splitlines()
    assert [name for name in names if not any(name in line for line in lines)] == []
