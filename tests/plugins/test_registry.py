"""Plug-in packages, whole and broken, installed for real: every command still works."""

from __future__ import annotations

import json
import sys
from contextvars import Context
from pathlib import Path

import pytest

from mgc.plugins import registry
from mgc.plugins.contract import HeadInfo
from tests.plugins.packages import install, run_mgc, write_wheel

EXTRACTOR = """
from mgc import ExtractorInfo, hookimpl

@hookimpl
def mgc_extractors():
    yield ExtractorInfo(
        name={name!r}, summary="for a test", load="{load}",
        sample_rate=22_050, hop_samples=512{more},
    )
"""
LOUDNESS = """
class Loudness:
    def __init__(self, params, device):
        pass

    def __call__(self, clips):
        return clips.waves.square().unfold(1, 512, 512).mean(-1)[:, None]
"""


def declaring(name: str, load: str = "loud_code:Loudness", more: str = "") -> str:
    """A plug-in module that declares one extractor."""
    return EXTRACTOR.format(name=name, load=load, more=more)


HEAD = "from mgc import hookimpl\n\n@hookimpl\ndef mgc_heads"
BROKEN = {
    "mgc-raises": "1 / 0",
    "mgc-exits": "raise SystemExit(3)",
    "mgc-missing-import": "import a_library_that_is_not_there",
    "mgc-misspelt": declaring("misspelt").replace("mgc_extractors", "mgc_extracters"),
    "mgc-silent": "from mgc import hookimpl",
    "mgc-other-hook": declaring("wrong-hook").replace("mgc_extractors", "mgc_heads"),
    "mgc-not-a-record": HEAD + "():\n    yield 'cnn'\n",
    "mgc-no-yield": HEAD + "():\n    pass\n",
    "mgc-argument": HEAD + "(manager):\n    yield 1\n",
    "mgc-load": declaring("odd-load", load="loud_code.Loudness"),
    "mgc-name": declaring("../Odd Name"),
    "mgc-type": declaring("odd-type", more=', requires="torch"'),
    "mgc-rate": declaring("odd-rate").replace("22_050", "0"),
}
SAYS = {
    "mgc-raises": ("ZeroDivisionError: division by zero", "update or remove mgc-raises"),
    "mgc-exits": ("SystemExit: 3", "update or remove mgc-exits"),
    "mgc-missing-import": ("a_library_that_is_not_there", "update or remove"),
    "mgc-misspelt": ("mgc_extracters", "mgc_extractors, mgc_heads, mgc_strategies"),
    "mgc-silent": ("declares nothing", "@mgc.hookimpl"),
    "mgc-other-hook": ("an ExtractorInfo where HeadInfo belongs", "yield mgc.HeadInfo"),
    "mgc-not-a-record": ("a str where HeadInfo belongs", "yield mgc.HeadInfo"),
    "mgc-no-yield": ("returns NoneType", "yield each record"),
    "mgc-argument": ("mgc_heads(manager)", "they take no argument"),
    "mgc-load": ("'loud_code.Loudness'", 'load="package.module:Class"'),
    "mgc-name": ("'../Odd Name'", "lower-case letters"),
    "mgc-type": ("requires='torch'", "a tuple"),
    "mgc-rate": ("sample_rate=0", "at least 1"),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search path with every broken package, two that clash, and a good one."""
    folder = tmp_path_factory.mktemp("broken")
    wheels = [
        write_wheel(folder, name, {f"{name.replace('-', '_')}.py": text})
        for name, text in BROKEN.items()
    ]
    wheels += [
        write_wheel(folder, "mgc-good", {"good.py": declaring("good"), "loud_code.py": LOUDNESS}),
        write_wheel(
            folder,
            "mgc-noisy",
            {
                "noisy.py": "print('hello')\n" + declaring("noisy", load="noisy_code:Loudness"),
                "noisy_code.py": "print('hello')\n" + LOUDNESS,
            },
        ),
        write_wheel(folder, "mgc-first", {"first.py": declaring("twice")}),
        write_wheel(folder, "mgc-second", {"second.py": declaring("twice")}),
        write_wheel(folder, "mgc-own-mel", {"own_mel.py": declaring("mel")}),
        write_wheel(folder, "mgc-doubled", {"doubled.py": DOUBLED}),
        write_wheel(
            folder,
            "mgc-needs",
            {"needs.py": declaring("needs", more=', requires=("not_there_either",)')},
        ),
        write_wheel(
            folder,
            "mgc-needs-hint",
            {
                "needs_hint.py": declaring(
                    "needs-hint",
                    more=', requires=("nor_this",), install="pip install mgc-needs-hint[gpu]"',
                )
            },
        ),
        write_wheel(folder, "mgc-no-code", {"no_code.py": declaring("no-code", load="gone:Gone")}),
    ]
    return install(wheels, folder / "site")


DOUBLED = declaring("doubled") + declaring("doubled").replace("mgc_extractors", "again").replace(
    "@hookimpl", "@hookimpl(specname='mgc_extractors')"
).replace("from mgc import ExtractorInfo, hookimpl", "").replace(
    "def again():", "def again():  # a second implementation of the hook"
)


@pytest.fixture(scope="module")
def plugins(broken: Path) -> dict[str, dict]:
    """What ``mgc plugins list --json`` says, by distribution."""
    result = run_mgc("plugins", "list", "--json", path=broken)
    assert result.code == 0, result.err
    return {plugin["distribution"]: plugin for plugin in json.loads(result.out)}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_package_is_listed_with_what_is_wrong(name: str, plugins: dict[str, dict]) -> None:
    problem, hint = SAYS[name]
    assert plugins[name]["status"] == "broken"
    assert problem in plugins[name]["problem"]
    assert hint in plugins[name]["hint"]
    assert plugins[name]["brings"] == []


def test_an_import_error_names_the_line_of_the_plugin(plugins: dict[str, dict]) -> None:
    assert "mgc_raises.py:1" in plugins["mgc-raises"]["problem"]


def test_a_damaged_entry_points_file_is_its_own_packages_trouble(tmp_path: Path) -> None:
    wheels = [
        write_wheel(tmp_path, name, {f"{name.replace('-', '_')}.py": declaring(name)})
        for name in ("mgc-damaged", "mgc-whole")
    ]
    site = install(wheels, tmp_path / "site")
    # An installer refuses such a file; a full disk does not.
    (damaged,) = site.glob("mgc_damaged-*/entry_points.txt")
    damaged.write_text("[mgc]\nno equals sign\n")
    result = run_mgc("plugins", "list", "--json", path=site)
    assert result.code == 0, result.err
    plugins = {plugin["distribution"]: plugin for plugin in json.loads(result.out)}
    assert plugins["mgc-damaged"]["status"] == "broken"
    assert plugins["mgc-damaged"]["hint"] == "pip install --force-reinstall mgc-damaged"
    assert plugins["mgc-whole"]["status"] == plugins["mgc"]["status"] == "ready"


def test_the_rest_is_ready(plugins: dict[str, dict]) -> None:
    assert plugins["mgc-good"]["status"] == "ready"
    mine = {entry["name"]: entry["status"] for entry in plugins["mgc"]["brings"]}
    assert mine.pop("mel") == "conflict"
    assert not {"broken", "conflict"} & set(mine.values())


def test_what_a_plugin_prints_does_not_spoil_the_json(plugins: dict[str, dict]) -> None:
    assert plugins["mgc-noisy"]["status"] == "ready"


@pytest.mark.parametrize("noun", ["features", "heads", "strategies", "plugins"])
def test_every_list_works_and_the_table_names_the_broken(noun: str, broken: Path) -> None:
    result = run_mgc(noun, "list", path=broken)
    assert result.code == 0
    assert "ZeroDivisionError" in result.out + result.err
    assert "Traceback" not in result.out + result.err


def test_help_works_beside_broken_plugins(broken: Path) -> None:
    result = run_mgc("--help", path=broken)
    assert (result.code, result.err) == (0, "")


def test_another_command_is_silent_about_broken_plugins(broken: Path, tmp_path: Path) -> None:
    result = run_mgc("features", "show", "mfcc", path=broken, home=tmp_path)
    assert result.code == 0
    assert "mgc-raises" not in result.out + result.err


def test_a_name_declared_twice_is_an_error_only_when_used(broken: Path) -> None:
    result = run_mgc("features", "show", "twice", path=broken)
    assert result.code == 2
    assert "mgc-first (first) and by mgc-second (second)" in result.err
    assert "pip uninstall mgc-first or pip uninstall mgc-second" in result.err


def test_a_clash_with_a_builtin_names_the_one_that_can_go(broken: Path) -> None:
    result = run_mgc("features", "show", "mel", path=broken)
    assert result.code == 2
    assert "Keep one of them: pip uninstall mgc-own-mel\n" in result.err


def test_a_package_that_declares_a_name_twice_is_told_so(plugins: dict[str, dict]) -> None:
    assert {e["status"] for e in plugins["mgc-doubled"]["brings"]} == {"conflict"}
    assert "another name in mgc-doubled" in plugins["mgc-doubled"]["brings"][0]["hint"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("needs", "pip install not_there_either"), ("needs-hint", "pip install mgc-needs-hint[gpu]")],
)
def test_a_missing_requirement_says_how_to_get_it(
    name: str, hint: str, broken: Path, plugins: dict[str, dict]
) -> None:
    assert plugins[f"mgc-{name}"]["status"] == "missing"
    result = run_mgc("features", "show", name, path=broken)
    assert result.code == 1
    assert hint in result.err


def test_code_that_is_not_there_is_an_error_of_that_name_alone(broken: Path) -> None:
    result = run_mgc("features", "show", "no-code", path=broken)
    assert result.code == 1
    assert "No module named 'gone'" in result.err
    assert "mgc-no-code" in result.err
    assert "Traceback" not in result.err


def test_an_unknown_name_gets_the_nearest_and_the_packages_that_could_not_be_read(
    broken: Path,
) -> None:
    result = run_mgc("features", "show", "gooood", path=broken)
    assert result.code == 2
    assert "Did you mean 'good'?" in result.err
    assert "mgc-raises" in result.err


def test_a_package_that_is_gone_leaves_no_trace(broken: Path) -> None:
    result = run_mgc("features", "show", "good")
    assert result.code == 2
    assert "No extractor is named 'good'" in result.err


HEAVY = ("torch", "numpy", "pandas", "librosa", "sklearn", "transformers", "wandb", "scipy")
LISTED = """
import sys
from contextvars import Context
from mgc.cli.app import main
sys.argv = ["mgc", *{arguments!r}]
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
heavy = sorted(set({heavy!r}) & set(sys.modules))
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["features", "list"],
        ["heads", "list", "--json"],
        ["strategies", "list"],
        ["plugins", "list"],
        ["data", "list"],
        ["fit", "--help"],
        ["plugins", "check", "--help"],
    ],
    ids=" ".join,
)
def test_what_only_lists_imports_nothing_heavy(arguments: list[str], mgc_home: Path) -> None:
    import subprocess
    import sys

    program = LISTED.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_an_import_prints_is_kept_off_the_results_of_a_command(broken: Path) -> None:
    result = run_mgc("features", "show", "noisy", "--json", path=broken)
    assert json.loads(result.out)["name"] == "noisy"
    assert "hello" in result.err


def test_an_import_by_another_program_leaves_its_stdout_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "looks_at_stdout.py").write_text("import sys\nclass Head:\n    seen = sys.stdout\n")
    info = HeadInfo(name="x", summary="x", load="looks_at_stdout:Head", trained_by="estimator")
    before = sys.stdout
    entry = registry.Entry("head", info, "mgc-x", "1")
    assert Context().run(registry.load, entry).seen is before
