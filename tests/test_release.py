"""What a release consists of: the sdist is whole, and the wheel works by itself.

`make wheel` names the folder with both in MGC_DIST; otherwise they are built here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import mgc
from tests.plugins.packages import uv

ROOT = Path(__file__).parents[1]
NOT_SHIPPED = (".github/", ".gitignore", ".pre-commit-config.yaml")
ADDED = {"PKG-INFO", ".gitignore"}  # by the build

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(uv() is None, reason="uv is not here: make setup installs it"),
]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist and the wheel that was built from it."""
    if named := os.environ.get("MGC_DIST"):
        return Path(named)
    folder = tmp_path_factory.mktemp("dist")
    command = [str(uv()), "build", "--quiet", "--offline", "--no-build-isolation"]
    where = ["--python", sys.executable, "--out-dir", str(folder)]
    subprocess.run([*command, *where, str(ROOT)], check=True)
    return folder


def one(folder: Path, pattern: str) -> Path:
    [path] = folder.glob(pattern)
    return path


def in_repository() -> set[str]:
    """The files of the working tree that git tracks or would track."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("these sources are not in a git repository")
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).exists()}


def test_the_sdist_is_whole_and_nothing_more(dist: Path) -> None:
    expected = {name for name in in_repository() if not name.startswith(NOT_SHIPPED)}
    with tarfile.open(one(dist, f"mgc_music-{mgc.__version__}.tar.gz")) as sdist:
        found = {m.name.partition("/")[2] for m in sdist.getmembers() if m.isfile()}
    assert sorted(expected - found) == []
    assert sorted(found - expected - ADDED) == []


def test_the_wheel_holds_the_package_and_nothing_more(dist: Path) -> None:
    expected = {name for name in in_repository() if name.startswith("mgc/")}
    names = zipfile.ZipFile(one(dist, f"mgc_music-{mgc.__version__}-*.whl")).namelist()
    info = f"mgc_music-{mgc.__version__}.dist-info/"
    assert {name for name in names if not name.startswith(info)} == expected
    assert {"mgc/py.typed", f"{info}licenses/LICENSE"} <= set(names)


def test_the_wheel_alone_in_a_clean_environment_runs_the_demo(dist: Path, tmp_path: Path) -> None:
    wheel = one(dist, f"mgc_music-{mgc.__version__}-*.whl")
    python = tmp_path / "venv" / "bin" / "python"
    environment = {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= {"MGC_HOME": str(tmp_path / "home"), "UV_LINK_MODE": "hardlink"}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, env=environment, cwd=tmp_path,
            timeout=800, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(str(uv()), "venv", "--python", sys.executable, tmp_path / "venv")
    constraints = ("--constraint", ROOT / "constraints.txt")
    run(str(uv()), "pip", "install", "--python", python, *constraints, wheel)
    installed = run(str(uv()), "pip", "list", "--python", python)
    assert re.search(rf"^mgc-music +{re.escape(mgc.__version__)}$", installed, re.MULTILINE)
    assert not re.search(r"^(pytest|ray|av|mgc|mgc-cqt|ruff) ", installed, re.MULTILINE)
    place = run(python, "-c", "import mgc; print(mgc.__file__)")
    assert Path(place.strip()).is_relative_to(tmp_path)
    assert run(python.with_name("mgc"), "--version").split() == ["mgc", mgc.__version__]
    said = run(python.with_name("mgc"), "demo")
    assert "5. A song" in said
    assert "Done in" in said


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    [cited] = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited.strip("\"'") == mgc.__version__


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("plugins/*/pyproject.toml"), *ROOT.glob("examples/*/pyproject.toml")],
    ids=lambda path: path.parent.name,
)
def test_every_package_depends_on_mgc_music(path: Path) -> None:
    needs = tomllib.loads(path.read_text())["project"]["dependencies"]
    names = [re.split(r"[^\w-]", need)[0] for need in needs]
    assert "mgc-music" in names
    assert "mgc" not in names


def test_no_text_tells_to_install_the_unrelated_mgc() -> None:
    wrong = re.compile(
        r"(?<!un)install [^\n`]*(?<![\w-])'?mgc'?(?=\[|==|>=|`|'|\"|$)", re.MULTILINE
    )
    assert wrong.search("pip install 'mgc[av]'")
    assert wrong.search("pip install -U mgc")
    assert not wrong.search("pip install mgc-music")
    found = {}
    for name in in_repository():
        if name.startswith(("mgc/", "docs/", "plugins/", "examples/", "README", "RELEASING")):
            text = (ROOT / name).read_text(encoding="utf-8", errors="ignore")
            if hit := wrong.search(text):
                found[name] = hit.group()
    assert found == {}
