"""Packages that share a name with mgc, each installed for real beside it."""

from __future__ import annotations

import shutil
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest

import mgc
from mgc.plugins import distributions, registry
from tests.plugins.packages import Environment, build_wheel, uv, write_wheel
from tests.plugins.test_registry import LOUDNESS, declaring

ROOT = Path(__file__).parents[2]
# As the package had them in version 0.1.0.
FORMER_ENTRY_POINTS = "[console_scripts]\nmgc = mgc.cli.app:main\n\n[mgc]\nbuiltin = mgc.builtin\n"
CURE = "pip install --force-reinstall --no-deps mgc-music"

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(uv() is None, reason="uv is not here: make setup installs it"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of mgc-music."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def environment(tmp_path: Path, wheel: Path) -> Environment:
    """mgc-music alone, installed from its wheel."""
    made = Environment.create(tmp_path / "fresh")
    made.pip("install", str(wheel))
    return made


def former(folder: Path) -> Path:
    """Our own package under its former name, as version 0.1.0 was: it shares files with ours."""
    files = {
        "mgc/builtin.py": "import a_module_that_moved",
        "mgc/__init__.py": (ROOT / "mgc" / "__init__.py").read_text(),
    }
    return write_wheel(folder, "mgc", files, version="0.1.0", entry_points=FORMER_ENTRY_POINTS)


def test_the_former_package_is_no_conflict_and_the_cure_that_is_named_works(
    environment: Environment, wheel: Path, tmp_path: Path
) -> None:
    environment.pip("install", str(former(tmp_path)))
    done = environment.mgc("plugins", "list")
    assert done.returncode == 0, done.stderr
    assert "broken" not in done.stdout
    assert "conflict" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert "The installed package mgc 0.1.0 is mgc-music under its former name" in line
    assert f"pip uninstall mgc, then: {CURE}" in line
    listed = environment.listed()
    assert set(listed) == {"mgc"}
    assert listed["mgc"]["module"] == "mgc.plugins.builtin"

    environment.pip("uninstall", "mgc")
    environment.pip("install", "--force-reinstall", str(wheel))
    done = environment.mgc("plugins", "list")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_former_package_alone_over_newer_sources_still_works(
    environment: Environment, tmp_path: Path
) -> None:
    """As in a checkout that is updated without a new install."""
    (info,) = environment.folder.glob("venv/lib/*/site-packages/mgc_music-*.dist-info")
    shutil.rmtree(info)
    environment.pip("install", str(former(tmp_path)))
    listed = environment.listed()
    assert (set(listed), listed["mgc"]["status"]) == ({"mgc"}, "ready")
    assert CURE in environment.mgc("runs", "list").stderr


def test_a_foreign_mgc_that_leaves_our_files_alone_is_named_in_one_line(
    environment: Environment, tmp_path: Path
) -> None:
    foreign = write_wheel(
        tmp_path, "mgc", {"mgc/independence.py": ""}, version="4.0.1", entry_points=""
    )
    environment.pip("install", str(foreign))
    done = environment.mgc("heads", "list", "--json")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "The installed package mgc 4.0.1 belongs to another project" in line
    assert f"pip uninstall mgc, then: {CURE}" in line
    environment.pip("uninstall", "mgc")
    assert environment.mgc("heads", "list").stderr == ""


def test_a_foreign_mgc_that_replaced_our_files_is_named_as_far_as_we_still_run(
    environment: Environment, tmp_path: Path
) -> None:
    files = {"mgc/__init__.py": '__version__ = "0.0.1"'}
    environment.pip(
        "install", str(write_wheel(tmp_path, "mgc", files, version="0.0.1", entry_points=""))
    )
    done = environment.mgc("heads", "list")
    clash, broken = done.stderr.splitlines()
    assert "mgc 0.0.1 belongs to another project" in clash
    assert "Plug-in mgc (mgc.plugins.builtin) is broken" in broken
    assert f"Run: {CURE}" in broken


def test_packages_that_depend_on_mgc_are_named(environment: Environment, tmp_path: Path) -> None:
    files = {"loud.py": declaring("loud"), "loud_code.py": LOUDNESS}
    environment.pip(
        "install",
        str(write_wheel(tmp_path, "mgc-loud", files, requires=["numpy", "mgc (>=0.1)"])),
        str(write_wheel(tmp_path, "mgc-new", {"new.py": declaring("new")}, requires=["mgc-music"])),
        str(write_wheel(tmp_path, "option", {"o.py": ""}, entry_points="",
                        requires=["mgc ; extra == 'statistics'"])),
    )  # fmt: skip
    done = environment.mgc("plugins", "list", "--json")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("mgc-loud 1.0 depends on the package mgc,")
    assert "depend on mgc-music instead" in line
    checked = environment.mgc("plugins", "check", "loud", "-k", "methods")
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr.splitlines() == [line]
    assert environment.mgc("plugins", "check", "mel", "-k", "methods").stderr == ""
    assert environment.mgc("heads", "list").stderr == ""


@pytest.mark.parametrize("need", ["mgc", "mgc>=0.1", "mgc[av]", "mgc (>=0.1)", "MGC; os_name > ''"])
def test_a_dependency_on_mgc_is_recognised(need: str) -> None:
    assert distributions._NEEDS_FORMER.search(f"Name: x\nRequires-Dist: {need}\n")


@pytest.mark.parametrize("need", ["mgc-music", "mgc_cqt", "mgc.x", "mgcpy", "mgc; extra == 'a'"])
def test_another_dependency_is_not(need: str) -> None:
    assert not distributions._NEEDS_FORMER.search(f"Name: x\nRequires-Dist: {need}\n")


def test_the_built_ins_are_recorded_as_before_and_installed_by_their_package() -> None:
    entry = registry.find("extractor", "mel")
    assert (entry.distribution, entry.version) == ("mgc", mgc.__version__)
    assert distributions.package_of("mgc") == "mgc-music"
    assert distributions.owner_of("mgc-music") == "mgc"
    assert distributions.package_of("mgc-cqt") == distributions.owner_of("mgc-cqt") == "mgc-cqt"


def test_the_installed_package_has_one_version_and_one_entry_point() -> None:
    assert distribution("mgc-music").version == mgc.__version__
    assert distributions.BUILTIN in entry_points(group="mgc")
