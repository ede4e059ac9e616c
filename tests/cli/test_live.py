"""Progress of long work, on a terminal and in a pipe."""

from __future__ import annotations

import io
import re
import sys
from contextlib import suppress

import pytest

from mgc.cli.ui import live
from mgc.cli.ui.bars import TerminalProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SECONDS_BETWEEN_LINES", 0.0)
    news = live.progress()
    with news.task("extracting mel", 4, "tracks") as task:
        task.advance()
        task.advance(3)
    news.epoch({"epoch": 3, "loss": 0.5, "validation_accuracy": 0.25})
    said = capsys.readouterr().err.splitlines()
    assert re.match(r"extracting mel: 1 of 4 tracks, [\d,.]+/s, \d+ s left", said[0])
    assert re.match(r"extracting mel: 4 tracks in [\d.]+ s", said[-2])
    assert said[-1].split() == ["epoch", "3", "loss", "0.500", "val.", "acc.", "0.250"]


def test_lines_are_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    news = live.progress()
    with news.task("work", 1000, "tracks") as task:
        for _ in range(1000):
            task.advance()
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("terminal", [False, True])
def test_what_fails_at_once_is_not_reported(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    screen = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    for done in range(2):
        with suppress(ValueError), live.progress().task("work", 9, "files") as task:
            task.advance(done)
            raise ValueError
    assert " 0 files in" not in screen.getvalue()
    assert "work: 1 file in" in screen.getvalue()


def test_a_terminal_gets_bars_with_rate_and_a_table_of_epochs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    news = live.progress()
    assert isinstance(news, TerminalProgress)
    with news.task("training cnn", 2, "epochs") as task:
        for epoch in range(2):
            news.epoch({"epoch": epoch, "loss": 0.25, "validation_accuracy": 0.75})
            with news.task("scoring", 1, "tracks") as inner:
                inner.advance()
            task.advance()
        news.say("half way")
    shown = screen.getvalue()
    assert "training cnn" in shown
    assert "2/2" in shown
    assert "val. acc." in shown
    assert "0.750" in shown
    assert "half way" in shown
    assert "2 epochs in" in shown
