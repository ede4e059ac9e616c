"""What version 0.1 let plug-ins import is importable until 1.0, and says where it is now."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgc.plugins import former_paths
from tests.plugins.packages import install, run_mgc, write_wheel

PACKAGES = Path(__file__).parents[1] / "fixtures" / "packages_0_1"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No former path has been imported yet, and none is left behind."""

    def forget() -> None:
        for path in former_paths.FORMER_PATHS:
            if sys.modules.pop(path, None) is not None:
                delattr(importlib.import_module("mgc"), path.removeprefix("mgc."))

    forget()
    yield
    forget()


@pytest.mark.parametrize(("former", "new"), former_paths.FORMER_PATHS.items())
def test_a_former_path_is_the_module_itself_and_names_the_new_one(former: str, new: str) -> None:
    now = importlib.import_module(new)
    spec = now.__spec__
    with pytest.warns(DeprecationWarning, match="is now") as caught:
        exec(f"import {former}")
    (warning,) = caught
    assert f"{former} is now {new}" in str(warning.message)
    assert "mgc 1.0" in str(warning.message)
    assert sys.modules[former] is now
    assert now.__spec__ is spec
    assert now.__name__ == new
    for old, name in former_paths.FORMER_NAMES.get(former, {}).items():
        assert getattr(now, old) is getattr(now, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(f"import {former}")  # once is enough


def test_every_form_of_import_statement_gives_the_same_object() -> None:
    from mgc.audio import clips
    from mgc.extractors import pretrained_weights
    from mgc.heads import estimator

    names: dict[str, object] = {}
    for statement in ("import mgc.clips", "from mgc import weights", "from mgc.scikit import *"):
        with pytest.warns(DeprecationWarning, match="is now"):
            exec(statement, names)
    exec("from mgc.clips import Clips", names)
    assert names["mgc"].clips is clips  # type: ignore[attr-defined]
    assert names["weights"] is pretrained_weights
    assert names["ScikitHead"] is estimator.ScikitHead
    assert names["Clips"] is clips.Clips


def test_the_warning_points_at_the_import_statement(tmp_path: Path) -> None:
    (tmp_path / "author.py").write_text("# a comment\nfrom mgc.contract import FeatureKind\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import mgc; import author"
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program], capture_output=True, text=True, check=True
    )
    assert f"{tmp_path / 'author.py'}:2: DeprecationWarning: mgc.contract is now" in done.stderr


def test_a_module_that_never_was_is_still_an_import_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'mgc\.nothing'"):
        importlib.import_module("mgc.nothing")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from mgc import nothing")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages that version 0.1 wrote, and one that imports all that it allowed."""
    folder = tmp_path_factory.mktemp("former")
    wheels = []
    for project in sorted(PACKAGES.glob("*/pyproject.toml")):
        written = tomllib.loads(project.read_text())["project"]
        source = project.parent / "src"
        files = {str(p.relative_to(source)): p.read_text() for p in source.rglob("*.py")}
        points = "".join(f"{k} = {v}\n" for k, v in written["entry-points"]["mgc"].items())
        wheels.append(write_wheel(folder, written["name"], files, entry_points=f"[mgc]\n{points}"))
    assert len(wheels) == 4
    return install(wheels, folder / "site")


@pytest.mark.parametrize("name", ["old-extractor", "old-head", "old-strategy", "mgc-old-paths"])
def test_a_package_of_the_version_before_conforms(name: str, installed: Path) -> None:
    result = run_mgc("plugins", "check", name, path=installed)
    assert result.code == 0, result.out + result.err
    assert ", 0 failed" in result.out
    assert "Deprecation" not in result.err  # its author's concern, not its user's


def test_every_public_name_of_the_version_before_is_there(installed: Path) -> None:
    program = (
        "import old_paths.everything as it; assert all(map(it.__dict__.__contains__, it.__all__))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning", "-c", program],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{Path(__file__).parents[2]}:{installed}"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for path in ("mgc.clips", "mgc.contract", "mgc.scikit", "mgc.weights"):
        assert f"{path} is now {former_paths.FORMER_PATHS[path]}" in done.stderr
