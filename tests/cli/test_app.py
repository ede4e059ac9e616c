"""The command line as a whole: start-up, errors, Ctrl-C, pipes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mgc.cli import app
from mgc.cli.ui import output
from mgc.errors import MgcError

HEAVY = [
    "torch",
    "torchaudio",
    "numpy",
    "pandas",
    "librosa",
    "transformers",
    "sklearn",
    "scipy",
    "wandb",
    "matplotlib",
    "accelerate",
    "ray",
    "soundfile",
    "pyarrow",
    "pydantic",
]

QUICK = [
    ["--help"],
    ["--version"],
    ["features", "list"],
    ["features", "list", "--json"],
    ["heads", "list"],
    ["strategies", "list"],
    ["plugins", "list"],
    ["data", "list"],
    ["runs", "list"],
    ["experiment", "--help"],
    ["fit", "--help"],
    ["data", "add", "--help"],
]


@pytest.mark.parametrize("words", QUICK, ids=" ".join)
def test_listings_and_help_load_nothing_heavy(words: list[str], mgc_home: Path) -> None:
    program = (
        "import sys, json\n"
        "from mgc.cli.app import main\n"
        f"sys.argv = ['mgc', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit as left:\n    assert not left.code, left.code\n"
        f"print('\\n' + json.dumps([m for m in {HEAVY!r} if m in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("noun", ["features", "heads", "strategies", "plugins", "data", "runs"])
def test_every_listing_has_json(mgc: Callable, noun: str) -> None:
    told = mgc(noun, "list", "--json")
    assert told.code == 0
    assert isinstance(told.json, list)


def test_every_command_has_help(mgc: Callable) -> None:
    told = mgc("--help")
    for command in ("demo", "data", "features", "fit", "ensemble", "compare", "predict", "runs"):
        assert command in told.out
        assert mgc(command, "--help").code == 0


def test_home_option_decides_where_things_live(mgc: Callable, tmp_path: Path) -> None:
    home = tmp_path / "other"
    assert mgc("--home", home, "data", "list").code == 0
    assert os.environ["MGC_HOME"] == str(home)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (MgcError("It [red]broke[/red].", "Mend it."), 1, "It [red]broke[/red]."),
        (KeyboardInterrupt(), 130, "run the same command to continue"),
        (OSError(28, "No space left on device", "/x"), 1, "No space left on device: /x"),
        (ZeroDivisionError("odd"), 1, "mgc itself failed: ZeroDivisionError: odd"),
    ],
)
def test_errors_become_text(
    mgc: Callable, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(output, "emit_json", fail)
    told = mgc("features", "list", "--json")
    assert told.code == code
    assert said in told.err
    assert "Traceback" not in told.err
    monkeypatch.setenv("MGC_DEBUG", "1")
    if code == 1 and isinstance(error, MgcError):
        assert "Traceback" in mgc("features", "list", "--json").err


@pytest.mark.parametrize(
    ("words", "module", "name", "said"),
    [
        ("models get musicnn", "mgc.prediction.ready_models", "get", "Stopped.\n"),
        ("runs list", "mgc.runs", "everything", "Stopped.\n"),
        ("features fetch ast", "mgc.plugins.registry", "find", "same command to continue.\n"),
        ("--home HERE fit -e mfcc", "mgc.resolve", "dataset_name", "same command to continue.\n"),
        ("predict HERE", "mgc.audio.audio_files", "collect", "With -o FILE, the same command"),
    ],
)
def test_after_ctrl_c_it_says_what_the_command_keeps(
    mgc: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    words: str, module: str, name: str, said: str,
) -> None:  # fmt: skip
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("MGC_HOME", str(tmp_path))
    monkeypatch.setattr(f"{module}.{name}", stop)
    told = mgc(*words.replace("HERE", str(tmp_path)).split())
    assert told.code == 130
    assert said in told.err
    assert "--resume" not in told.err


def test_a_reader_that_leaves_early_is_no_error(mgc_home: Path) -> None:
    command = f"{sys.executable} -m mgc features list | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_tables_in_a_pipe_are_plain_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    output.show_table(["name", "n"], [[long, 1], ["[bold]b[/bold]\nc", 10]], right=["n"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"{long}   1"
    assert lines[2].startswith("[bold]b[/bold] c ")
    assert len(lines) == 3


def test_tables_on_a_terminal_keep_to_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    output.show_table(["name", "n"], [["word " * 30, 1]])
    shown = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())  # without colours
    assert 20 < max(len(line) for line in shown.splitlines()) <= 40


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 140, 200])
def test_no_name_is_broken_on_a_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    names = [f"my-music-collection-mean-probability-{number}" for number in (1, 2)]
    cells = [[name, "mel · logistic", "my-music-collection", "finished", "81.4"] for name in names]
    output.show_table(["run", "what", "dataset", "state", "accuracy %"], cells, right=["state"])
    shown = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert all(word in shown.split() for row in cells for cell in row for word in cell.split())
    lines = shown.splitlines()
    assert width < 60 or max(len(line) for line in lines) <= width


NOISY = """
import os, sys
from mgc.cli.ui import output
with output.libraries_silenced():
    os.write(2, b"libmpg123: error\\n")
    output.note("a remark")
    output.complain("wrong", "mend it")
os.write(2, b"afterwards\\n")
"""


@pytest.mark.parametrize(("debug", "heard"), [("", []), ("1", ["libmpg123: error"])])
def test_c_libraries_do_not_write_between_the_lines(debug: str, heard: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOISY],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MGC_DEBUG": debug},
    )
    own = ["a remark", "Error: wrong", "Hint:  mend it", "afterwards"]
    assert done.stderr.splitlines() == [*heard, *own]


def test_only_the_command_that_is_named_is_imported(mgc_home: Path) -> None:
    program = (
        "import sys\n"
        "from mgc.cli.app import main\n"
        "sys.argv = ['mgc', 'runs', 'list']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sorted(m for m in sys.modules if m.startswith('mgc.cli.')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert "mgc.cli.commands.runs" in loaded
    assert "mgc.cli.commands.fit" not in loaded


def test_a_command_that_is_not_there_brings_the_nearest_name(mgc: Callable) -> None:
    told = mgc("featurs", "list")
    assert told.code == 2
    assert "Did you mean 'features'?" in told.err


def test_main_is_the_console_script() -> None:
    from importlib.metadata import entry_points

    [script] = [point for point in entry_points(group="console_scripts") if point.name == "mgc"]
    assert script.load() is app.main


def test_control_characters_of_names_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.show_table(["file"], [["\x1b[31mred.mp3"]])
    output.note("\x07bell.mp3: does not decode")
    told = capsys.readouterr()
    assert "\\x1b[31mred.mp3" in told.out
    assert "\x1b" not in told.out
    assert told.err == "\\x07bell.mp3: does not decode\n"
