"""Packages that bring commands, whole and broken, installed for real."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.plugins.packages import Result, install, run_mgc, write_wheel

DECLARES = """
from mgc import CommandInfo, hookimpl

@hookimpl
def mgc_commands():
    yield CommandInfo(name={name!r}, summary="Summary of {name}", load="{load}"{more})
"""
GROUP = '''
import os, sys, time
import typer
from mgc import MgcError

app = typer.Typer(no_args_is_help=True, help="Say things.")

@app.command("echo")
def echo(words: list[str], loud: bool = False) -> None:
    """Say words."""
    text = " ".join(words)
    print(text.upper() if loud else text, os.environ.get("MGC_HOME", ""), sep="|")

@app.command("fail")
def fail(how: str) -> None:
    """Fail in many ways."""
    if how == "mgc":
        raise MgcError("The kettle is empty.", "Fill it.")
    if how == "exit":
        raise typer.Exit(7)
    if how == "disk":
        raise OSError(28, "No space left on device", "/kettle")
    if how == "bad":
        raise typer.BadParameter("only tea")
    if how == "wait":
        print("waiting", flush=True)
        time.sleep(60)
    raise ZeroDivisionError("odd")
'''
FUNCTION = '''
import sys
import typer

def single(cups: int = 1, rest: list[str] = typer.Argument(None)) -> None:
    """Make tea."""
    print(cups, rest, "single_code" in sys.modules)
'''
UNTYPED = "def build(kettle: complex):\n    'Take what Typer cannot read.'\n"


def declaring(name: str, load: str = "single_code:single", more: str = "") -> str:
    """A plug-in module that declares one command."""
    return DECLARES.format(name=name, load=load, more=more)


WHOLE = {
    "mgc-say": {"say.py": declaring("say", "say_code:app", ', panel="Tea"'), "say_code.py": GROUP},
    "mgc-single": {"single.py": declaring("single"), "single_code.py": FUNCTION},
}
FAULTY = {
    "mgc-dead-code": {
        "dead.py": declaring("dead", "dead_code:app"),
        "dead_code.py": "1 / 0",
    },
    "mgc-quits": {"quits.py": declaring("quits", "quits_code:app"), "quits_code.py": "exit(0)"},
    "mgc-odd": {"odd.py": declaring("odd", "odd_code:app"), "odd_code.py": "app = 3"},
    "mgc-untyped": {
        "untyped.py": declaring("untyped", "untyped_code:build"),
        "untyped_code.py": UNTYPED,
    },
    "mgc-dead-record": {"dead_record.py": declaring("undeclared") + "\nmissing_name"},
    "mgc-wrong-record": {"wrong_record.py": declaring("wrong", more=", panel=3")},
    "mgc-wrong-name": {"wrong_name.py": declaring("Wrong Name")},
    "mgc-green-tea": {"green_tea.py": declaring("tea")},
    "mgc-black-tea": {"black_tea.py": declaring("tea")},
    "mgc-own-fit": {"own_fit.py": declaring("fit")},
    "mgc-needs": {
        "needs.py": declaring(
            "needs", more=', requires=("not_there",), install="pip install mgc-needs[all]"'
        )
    },
    "mgc-only-head": {"only_head.py": "from mgc import hookimpl\n"},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search path with all these packages."""
    folder = tmp_path_factory.mktemp("commands")
    packages = {**WHOLE, **FAULTY}
    wheels = [write_wheel(folder, name, files) for name, files in packages.items()]
    return install(wheels, folder / "site")


@pytest.fixture(scope="module")
def plugins(site: Path) -> dict[str, dict]:
    """What ``mgc plugins list --json`` says, by distribution."""
    result = run_mgc("plugins", "list", "--json", path=site)
    assert result.code == 0, result.err
    return {plugin["distribution"]: plugin for plugin in json.loads(result.out)}


def loaded(site: Path, *arguments: str) -> set[str]:
    """The modules that a call of mgc has imported."""
    program = (
        f"import sys; sys.argv = ['mgc', *{arguments!r}]\n"
        "from mgc.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(); print(*sys.modules)"
    )
    environment = {
        "PYTHONPATH": f"{Path(__file__).parents[2]}:{site}",
        "MGC_HOME": str(site.parent / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_the_help_lists_each_command_and_imports_none(site: Path) -> None:
    result = run_mgc("--help", path=site, home=site.parent / "home")
    assert (result.code, result.err) == (0, "")
    for name in ("say", "single", "dead", "tea", "needs"):
        assert result.out.count(f"Summary of {name}\n") == 1
    for name in ("undeclared", "wrong", "Wrong Name", "Summary of fit"):
        assert name not in result.out
    modules = loaded(site, "--help")
    assert not {"say", "single"} & modules
    assert not {m for m in modules if m.endswith("_code")}
    assert "only_head" not in modules  # it has no command: the help does not ask it
    assert not {"importlib.metadata", "numpy", "torch"} & modules


def test_a_panel_of_its_own(site: Path) -> None:
    program = (
        "import sys; sys.argv = ['mgc', '--help']; sys.stdout.isatty = lambda: True\n"
        "from mgc.cli.app import main\nmain()"
    )
    environment = {"PYTHONPATH": f"{Path(__file__).parents[2]}:{site}", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    panels = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).split("╭─ ")
    assert any(panel.startswith("Tea ") and "Summary of say" in panel for panel in panels)
    (own,) = [panel for panel in panels if panel.startswith("Plug-ins ")]
    assert "Summary of single" in own


def test_a_group_and_a_function_get_all_that_follows_their_name(site: Path) -> None:
    assert run_mgc("say", "echo", "a", "--loud", "--", "--b", path=site).out.startswith("A --B|")
    assert run_mgc("single", "--cups", "2", "x", path=site).out == "2 ['x'] True\n"
    help_page = run_mgc("say", "echo", "-h", path=site)
    assert help_page.code == 0
    assert "mgc say echo" in help_page.out


def test_behind_an_option_of_mgc_it_is_the_same(site: Path, tmp_path: Path) -> None:
    home = str(tmp_path / "elsewhere")
    result = run_mgc("--home", home, "say", "echo", "a", "--", "--loud", path=site)
    assert result == Result(0, f"a --loud|{home}\n", "")
    assert "mgc single" in run_mgc("--home", home, "single", "--help", path=site).out
    assert run_mgc("--home", home, "say", "fail", "exit", path=site).code == 7


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("mgc", 1, ["Error: The kettle is empty.\nHint:  Fill it.\n"]),
        ("exit", 7, []),
        ("bad", 2, ["only tea"]),
        ("disk", 1, ["No space left on device: /kettle"]),
        ("odd", 1, ["command 'say' of mgc-say 1.0 failed: ZeroDivisionError: odd", "authors of"]),
    ],
)
@pytest.mark.parametrize("before", [(), ("--home", "/nowhere")], ids=["first", "behind --home"])
def test_errors_and_exit_codes_are_those_of_mgc(
    how: str, code: int, said: list[str], before: tuple[str, ...], site: Path
) -> None:
    result = run_mgc(*before, "say", "fail", how, path=site)
    assert result.code == code
    assert all(text in result.err for text in said)
    assert "Traceback" not in result.err


def test_an_option_that_is_not_there_is_a_usage_error(site: Path) -> None:
    result = run_mgc("single", "--milk", path=site)
    assert result.code == 2
    assert "--milk" in result.err


def test_ctrl_c_stops_it_as_any_other(site: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mgc", "say", "fail", "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": f"{Path(__file__).parents[2]}:{site}"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Stopped." in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("dead", 1, ["of mgc-dead-code", "ZeroDivisionError", "mgc plugins check dead"]),
        ("quits", 1, ["of mgc-quits", "SystemExit"]),
        ("odd", 1, ["of mgc-odd is a int", "not a typer.Typer or a function"]),
        ("untyped", 1, ["of mgc-untyped", "Type not yet supported"]),
        ("tea", 2, ["mgc-black-tea (black_tea) and by mgc-green-tea", "pip uninstall"]),
        ("needs", 1, ["it needs not_there", "pip install mgc-needs[all]"]),
        ("undeclared", 2, ["No command is named", "Could not be read: mgc-dead-record"]),
        ("sya", 2, ["Did you mean 'say'"]),
    ],
)
def test_what_cannot_be_used_says_so_when_it_is_asked_for(
    name: str, code: int, said: list[str], site: Path
) -> None:
    result = run_mgc(name, path=site)
    assert result.code == code
    for text in said:
        assert text in result.err
    assert "Traceback" not in result.err


def test_a_command_of_mgc_stays_its_own(site: Path, plugins: dict[str, dict]) -> None:
    assert "Train: extract" in run_mgc("fit", "--help", path=site).out
    (own,) = plugins["mgc-own-fit"]["brings"]
    assert (own["kind"], own["status"]) == ("command", "conflict")
    assert "`mgc fit` is a command of mgc itself" in own["problem"]
    assert "another name in mgc-own-fit" in own["hint"]


def test_the_listing_knows_each_state(plugins: dict[str, dict]) -> None:
    states = {name: plugin["status"] for name, plugin in plugins.items()}
    assert states["mgc"] == states["mgc-say"] == states["mgc-single"] == "ready"
    assert states["mgc-green-tea"] == states["mgc-black-tea"] == "conflict"
    assert states["mgc-needs"] == "missing"
    for name in ("mgc-dead-record", "mgc-wrong-record", "mgc-wrong-name", "mgc-only-head"):
        assert states[name] == "broken"
    assert "panel=3" in plugins["mgc-wrong-record"]["problem"]
    assert plugins["mgc-say"]["brings"][0]["panel"] == "Tea"


@pytest.mark.parametrize(
    ("name", "failed"),
    [
        ("say", set()),
        ("single", set()),
        ("dead", {"command-loads", "help-text", "help-works", "unknown-option"}),
        ("odd", {"command-loads", "help-text", "help-works", "unknown-option"}),
    ],
)
def test_the_checks_of_a_command(name: str, failed: set[str], site: Path) -> None:
    result = run_mgc("plugins", "check", name, "--json", path=site)
    verdicts = {o["check"]: o["verdict"] for o in json.loads(result.out)}
    assert {check for check, verdict in verdicts.items() if verdict == "failed"} == failed
    assert result.code == bool(failed)
    assert "declaration-is-light" in verdicts
    assert "Traceback" not in result.err


CHECKED = {
    "help-text": "import typer\napp = typer.Typer(help='x')\n@app.command('a')\ndef a(): pass\n"
    "@app.command('b')\ndef b():\n    'b'\n",
    "declaration-is-light": FUNCTION.replace("def single", "def app"),
}


@pytest.mark.parametrize("check", CHECKED)
def test_each_check_can_fail(check: str, tmp_path: Path) -> None:
    text = declaring("checked", "checked_code:app")
    if check == "declaration-is-light":
        text = "import numpy\n" + text
    wheel = write_wheel(
        tmp_path, "mgc-checked", {"checked.py": text, "checked_code.py": CHECKED[check]}
    )
    result = run_mgc(
        "plugins", "check", "mgc-checked", "--json", path=install([wheel], tmp_path / "site")
    )
    failed = [o for o in json.loads(result.out) if o["verdict"] == "failed"]
    assert [o["check"] for o in failed] == [check]
    assert failed[0]["mend"]
