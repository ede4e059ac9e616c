"""What reaches the terminal: no control characters of names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mgc.cli.ui import output
from tests.evaluation.made_runs import made_run

ODD = "\x1b[31mred\x07\x9b2J"


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_printed_has_a_control_character(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False)
    output.say(ODD)
    output.note(ODD)
    output.complain(ODD, ODD)
    output.show_table([ODD], [[ODD]], title=ODD)
    if terminal:
        output.emit_json({ODD: ODD})
        output.binary().write(ODD.encode())
    said = "".join(capsys.readouterr())
    assert said.count("red") >= 7
    assert said.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "command", [["runs", "show"], ["compare", "--by-genre"], ["plot", "genres"]]
)
def test_genres_of_a_run_are_escaped(
    command: list[str], mgc_home: Path, mgc: Callable[..., Any]
) -> None:
    run = made_run(genres=(ODD, "jazz", "metal"), titles=[ODD] * 60)
    told = mgc(*command, run.name)
    assert told.code == 0, told.err
    assert r"\x1b[31mred" in told.out
    assert (told.out + told.err).replace("\n", "").isprintable()
