"""docs/writing-plugins.md, followed word for word; its result is examples/mgc-contrast."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.plugins.packages import uv
from tests.plugins.tutorial import follow, steps

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "writing-plugins.md"
EXAMPLE = ROOT / "examples" / "mgc-contrast"
#: What commands leave behind.
LEFT = {"__pycache__", ".pytest_cache"}


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not LEFT & set(path.parts) and "egg-info" not in str(path)
    }


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A fresh virtual environment that has what this one has, and ``pip`` without a network.

    ``pip`` is uv's, told to take nothing from elsewhere: the packages of the page need nothing
    that is not there.
    """
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    packages = next(venv.glob("lib/python*/site-packages"))
    ours = sysconfig.get_path("purelib")
    (packages / "this.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    _script(venv / "bin/mgc", f'exec "{venv}/bin/python" -m mgc "$@"')
    _script(
        venv / "bin/pip",
        f'verb=$1; shift; exec "{uv()}" pip $verb --python "{venv}/bin/python" --offline '
        '--no-deps --no-build-isolation "$@"',
    )
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
        "MGC_HOME": str(tmp_path / "home"),
        "OMP_NUM_THREADS": "1",
    }


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@pytest.mark.timeout(900)
@pytest.mark.skipif(uv() is None, reason="uv is not here: make setup installs it")
def test_the_page_works_and_its_result_is_the_example(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    said = dict(follow(PAGE, work, environment))
    assert "contrast" in said["mgc features list"]
    assert "share" in said["mgc features show contrast"]
    assert "0 failed, 1 skipped" in said["mgc plugins check contrast"]  # it embeds no text
    table = said["mgc compare --data demo"]
    assert "contrast" in table
    assert "mean-probability" in table
    last = said["mgc plugins list"]
    assert all(name in last for name in ("mgc-contrast", "mgc-bayes", "mgc-median"))
    made, kept = files(work / "mgc-contrast"), files(EXAMPLE)
    numbers = "src/mgc_contrast/golden/contrast.json"
    assert set(made) == set(kept)
    # Golden numbers may round otherwise on another processor; the page's check compares them.
    assert {n: t for n, t in made.items() if n != numbers} == {
        n: t for n, t in kept.items() if n != numbers
    }


def test_what_the_page_shows_is_what_the_example_holds() -> None:
    shown = {step.file: step.text for step in steps(PAGE) if step.file}
    assert shown
    for name, text in shown.items():
        assert (ROOT / "examples" / name).read_text() == text


def test_the_examples_golden_numbers_are_those_of_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mgc import checks
    from mgc.plugins import registry
    from tests.plugins.packages import install, write_wheel

    content = files(EXAMPLE / "src")
    points = "[mgc]\ncontrast = mgc_contrast.plugin\n"
    wheel = write_wheel(tmp_path, "mgc-contrast", content, entry_points=points)
    monkeypatch.syspath_prepend(install([wheel], tmp_path / "site"))
    registry.catalogue.cache_clear()
    (subject,) = checks.subjects("contrast")
    (outcome,) = checks.verdicts(subject, "golden")
    monkeypatch.undo()
    registry.catalogue.cache_clear()
    assert outcome.verdict == "passed"
    shutil.rmtree(tmp_path)
