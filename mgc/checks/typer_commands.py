"""Checks of a command: it loads, it has help, and it refuses what it does not know."""

from __future__ import annotations

import inspect
import subprocess
from collections.abc import Iterator
from typing import Any

import typer

from mgc.checks import require
from mgc.checks.base import Problem, Subject
from mgc.checks.subprocess_probe import last_line, python

UNKNOWN = "--no-such-option-4711"
TIMEOUT_SECONDS = 120  # for one call; importing torch from a slow disk takes a minute


def check_command_loads(subject: Subject) -> None:
    """A Typer group or a function is behind the record."""
    wanted = f"a typer.Typer or a function at {subject.info.load!r}"
    found = require.loaded(subject, wanted)
    if not isinstance(found, typer.Typer) and not inspect.isfunction(found):
        mend = "let load=… name a typer.Typer, or a function with Typer's annotations"
        raise Problem(wanted, f"a {type(found).__name__}", mend)


def check_help_text(subject: Subject) -> None:
    """The command, and each command of a group, says what it does."""
    silent = [name for name, text in _help_texts(subject) if not text]
    if silent:
        raise Problem(
            "a help text for every command",
            f"none for {', '.join(silent)}",
            'write a docstring below each function, and typer.Typer(help="…") for a group',
        )


def check_help_works(subject: Subject) -> None:
    """--help prints a page and exits with 0."""
    _expect(subject, "--help", 0, "make the module and its annotations work with Typer")


def check_unknown_option(subject: Subject) -> None:
    """An option that does not exist is refused with exit code 2."""
    _expect(subject, UNKNOWN, 2, "let Typer read the options: no ignore_unknown_options")


def _help_texts(subject: Subject) -> Iterator[tuple[str, str]]:
    """Each command's name, as typed, and its help text."""
    app = subject.implementation
    if not isinstance(app, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(subject.info.name)(subject.implementation)
    waiting: list[tuple[str, Any]] = [(f"mgc {subject.info.name}", typer.main.get_command(app))]
    while waiting:
        name, command = waiting.pop()
        yield name, (command.help or "").strip()
        waiting += [(f"{name} {n}", c) for n, c in getattr(command, "commands", {}).items()]


def _expect(subject: Subject, option: str, code: int, mend: str) -> None:
    """Call the command as a user would; fail unless it exits with ``code`` and no traceback."""
    typed = f"mgc {subject.info.name} {option}"
    try:
        done = python("-m", *typed.split(), timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Problem(f"{typed} ends", f"not after {error.timeout:.0f} s", mend) from error
    if done.returncode != code or "Traceback" in done.stderr:
        got = f"{done.returncode}: {last_line(done.stderr)}"
        raise Problem(f"{typed} exits with {code}", got, mend)
