"""``mgc plugins new``: what it writes, and what it refuses."""

from __future__ import annotations

import errno
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mgc import MgcError, UsageError, checks, runs
from mgc.home import model_folder
from mgc.plugins import registry, scaffold
from mgc.prediction import ready_models
from tests.plugins.packages import install, run_mgc, write_wheel


@pytest.fixture(autouse=True)
def fresh_catalogue() -> Iterator[None]:
    registry.catalogue.cache_clear()
    yield
    registry.catalogue.cache_clear()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("extractor", "loudness"),
        ("head", "two-words"),
        ("strategy", "v2.1"),
        ("extractor", "3d-sound"),
        ("head", "class"),
        ("command", "lengths"),
        ("command", "4-hands"),
        ("model", "dances"),
    ],
)
def test_what_is_written_installs_loads_and_conforms(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = scaffold.write_package(kind, name, tmp_path / "made")
    installed(folder, tmp_path, monkeypatch)
    (subject,) = checks.subjects(name)
    assert subject.entry.kind == kind
    failed = [o for o in checks.verdicts(subject) if o.verdict == "failed"]
    assert failed == []
    for test in folder.glob("tests/test_*.py"):
        compile(test.read_text(), str(test), "exec")
    assert f"mgc plugins check {name}" in (folder / "README.md").read_text()


def installed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install what was written, so that this process finds it."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    entry_points = project["project"]["entry-points"]["mgc"]
    source = folder / "src"
    files = {str(p.relative_to(source)): p.read_text() for p in sorted(source.rglob("*.py"))}
    lines = "".join(f"{key} = {value}\n" for key, value in entry_points.items())
    wheel = write_wheel(tmp_path, project["project"]["name"], files, entry_points=f"[mgc]\n{lines}")
    monkeypatch.syspath_prepend(install([wheel], tmp_path / "site"))
    registry.catalogue.cache_clear()


def test_a_written_model_takes_a_run_and_leaves_what_is_private(
    tmp_path: Path, mgc_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(__file__).parents[1] / "fixtures" / "runs_0_1" / "tiny-mel-cnn-1"
    folder = scaffold.write_package("model", "dances", tmp_path / "made")
    declared = folder / "src" / "mgc_dances" / "plugin.py"
    genres = repr(tuple(runs.load(str(run)).genres))
    declared.write_text(declared.read_text().replace('("jazz", "rock")', genres))
    installed(folder, tmp_path, monkeypatch)
    with pytest.raises(MgcError, match="holds no run") as caught:
        ready_models.get("dances")
    assert "--from RUN_FOLDER" in caught.value.hint
    assert ready_models.get("dances", run).genres == runs.load(str(run)).genres
    assert {path.name for path in model_folder("dances").iterdir()} == {"run.json", "fold-0"}


@pytest.mark.parametrize("name", ["", "Big", "../up", "a b", "-x", "ü"])
def test_a_name_that_cannot_be_used_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be named"):
        scaffold.write_package("extractor", name, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is a head 'cnn' already, of mgc") as caught:
        scaffold.write_package("head", "cnn", tmp_path / "made")
    assert "mgc heads list" in caught.value.hint


def test_a_command_of_mgc_is_taken(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is a command 'predict' already, of mgc") as caught:
        scaffold.write_package("command", "predict", tmp_path / "made")
    assert "mgc --help" in caught.value.hint


def test_a_folder_with_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        scaffold.write_package("extractor", "loudness", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert (scaffold.write_package("strategy", "middle", tmp_path) / "pyproject.toml").exists()


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MgcError, match="Cannot write"):
        scaffold.write_package("strategy", "middle", tmp_path / "file" / "below")


def test_the_command_says_what_comes_next(tmp_path: Path) -> None:
    result = run_mgc("plugins", "new", "head", "nearest", "--to", str(tmp_path / "near"))
    assert result.code == 0, result.err
    assert f"pip install --editable {tmp_path / 'near'}" in result.out
    assert "mgc plugins check nearest" in result.out
    again = run_mgc("plugins", "new", "head", "nearest", "--to", str(tmp_path / "near"))
    assert again.code == 2
    assert "Traceback" not in again.err


def test_an_unknown_kind_is_a_usage_error() -> None:
    result = run_mgc("plugins", "new", "dataset", "mine")
    assert result.code == 2
    assert "extractor" in result.err


def test_a_disk_that_is_full_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text

    def full(path: Path, *rest: Any, **named: Any) -> int:
        if path.name == "__init__.py":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, *rest, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(MgcError, match="No space left on device"):
            scaffold.write_package("head", "loud", tmp_path / "made")
    assert scaffold.write_package("head", "loud", tmp_path / "made").is_dir()
