"""The packages of plugins/, built as wheels and installed in a fresh environment.

And what happens to the runs that needed one, when it is gone.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.plugins.packages import Environment, build_wheel, uv
from tests.sounds import music, write

ROOT = Path(__file__).parents[2]
#: Those that mgc finds; beets-mgc is found by beets.
PACKAGES = sorted(
    path.parent.name
    for path in ROOT.glob("plugins/*/pyproject.toml")
    if "entry-points.mgc" in path.read_text()
)
BRINGS = {
    "mgc-cqt": {"cqt", "tempogram", "vqt"},
    "mgc-encoders": {"ast", "clap", "dasheng", "hubert", "mert", "wav2vec2", "wavlm"},
    "mgc-library": {"playlist", "sort", "tag"},
    "mgc-lightgbm": {"lightgbm"},
    "mgc-log-pool": {"log-pool"},
    "mgc-lyrics": {"lyrics"},
    "mgc-musicnn": {"musicnn", "musicnn-msd"},
    "mgc-serve": {"review", "serve"},
}

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(uv() is None, reason="uv is not here: make setup installs it"),
]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel of each package, by its name."""
    folder = tmp_path_factory.mktemp("wheels")
    built = [build_wheel(ROOT / "plugins" / name, folder) for name in PACKAGES]
    return {path.name.split("-")[0].replace("_", "-"): path for path in built}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Environment:
    """All wheels installed beside mgc and the libraries that are here; nothing is downloaded."""
    made = Environment.create(tmp_path_factory.mktemp("fresh"))
    made.pip("install", str(build_wheel(ROOT, made.folder)))
    assert set(made.listed()) == {"mgc"}
    made.pip("install", *map(str, wheels.values()))
    return made


def test_every_package_is_built_and_known_here(wheels: dict[str, Path]) -> None:
    assert set(wheels) == set(PACKAGES) == set(BRINGS)


def test_a_wheel_holds_the_golden_numbers(wheels: dict[str, Path]) -> None:
    names = zipfile.ZipFile(wheels["mgc-cqt"]).namelist()
    assert "mgc_cqt/golden/cqt.json" in names
    assert not [name for name in names if "test" in name]


def test_all_are_ready_and_bring_what_they_should(environment: Environment) -> None:
    listed = environment.listed()
    assert {plugin["status"] for plugin in listed.values()} == {"ready"}
    for name, brings in BRINGS.items():
        assert {entry["name"] for entry in listed[name]["brings"]} == brings
        assert listed[name]["version"] == "0.1.0"


def test_removed_one_by_one_nothing_else_breaks_and_runs_say_what_they_need(
    environment: Environment,
) -> None:
    tree = environment.folder / "music"
    for number in range(24):
        path = tree / f"genre{number % 2}" / f"artist{number // 2}" / f"{number}.wav"
        write(path, music(1.2, seed=number + 100 * (number % 2)))
    for command in [
        ("data", "add", "small", str(tree)),
        ("features", "show", "tempogram"),
        ("fit", "-e", "tempogram", "-e", "mfcc", "--head", "logistic", "--head", "lightgbm"),
        ("ensemble", "log-pool"),
    ]:
        done = environment.mgc(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    song = str(next(tree.rglob("*.wav")))
    runs = {
        "mgc-cqt": "small-tempogram-logistic-1",
        "mgc-lightgbm": "small-mfcc-lightgbm-1",
        "mgc-log-pool": "small-log-pool-1",
    }
    done = environment.mgc("predict", song, "--run", runs["mgc-log-pool"])  # by all of them
    assert done.returncode == 0, done.stderr
    gone: set[str] = set()
    order = ["mgc-log-pool", "mgc-lightgbm", "mgc-cqt"]  # a run's own package before its members'
    for package in [*order, *sorted(set(BRINGS) - set(order))]:
        environment.pip("uninstall", package)
        gone.add(package)
        listed = environment.listed()
        assert set(listed) == {"mgc", *BRINGS} - gone
        assert {plugin["status"] for plugin in listed.values()} == {"ready"}
        if package in runs:
            done = environment.mgc("predict", song, "--run", runs[package])
            assert done.returncode in (1, 2)
            assert f"pip install {package}" in done.stderr
            assert "Traceback" not in done.stderr
    assert environment.mgc("runs", "list").returncode == 0
    assert environment.mgc("compare", "--data", "small").returncode == 0
    done = environment.mgc("predict", song, "--run", "small-mfcc-logistic-1")
    assert done.returncode == 0, done.stderr


def test_the_wheel_of_mgc_itself_holds_templates_and_golden_numbers(tmp_path: Path) -> None:
    wheel = build_wheel(ROOT, tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    templates = ROOT / "mgc" / "plugins" / "templates"
    for path in templates.rglob("*.tmpl"):
        assert f"mgc/plugins/templates/{path.relative_to(templates).as_posix()}" in names
    assert "mgc/extractors/golden/mel.json" in names
