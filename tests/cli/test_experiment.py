"""``mgc experiment``, as a user types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = """
name = "small"
dataset = "m"
path = "{music}"
extractors = ["mfcc", "chroma"]
heads = ["logistic"]
strategies = ["mean-probability"]

[[published]]
name = "MFCC elsewhere"
row = "mfcc · logistic"
accuracy = 39
source = "a paper"
"""


@pytest.fixture
def file(mgc_home: Path, tmp_path: Path, music: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL.format(music=music))
    return path


def test_run_show_and_run_again(mgc: Callable, file: Path, mgc_home: Path) -> None:
    before = mgc("experiment", "show", file)
    assert "not there yet" in before.out
    told = mgc("experiment", "run", file)
    assert told.code == 0, told.err
    assert "MFCC elsewhere" in told.out
    assert "mean-probability" in told.out
    assert "published: a paper" in told.err
    folder = mgc_home / "experiments" / "small"
    written = {name: (folder / name).read_text() for name in ("table.md", "table.csv")}
    assert "## Beside published figures" in written["table.md"]
    assert (folder / "table.json").exists()
    again = mgc("experiment", "run", file, "--to", folder.parent / "again", "--json")
    assert [row["kind"] for row in again.json].count("single") == 2
    assert "already done" in again.err
    for name, text in written.items():
        assert (folder.parent / "again" / name).read_text() == text
    shown = mgc("experiment", "show", file, "--json").json
    assert [step["state"] for step in shown["steps"]] == ["done", "done"]
    assert len(mgc("runs", "list", "--json").json) == 3


def test_an_unusable_file_is_said_in_a_line(mgc: Callable, file: Path) -> None:
    file.write_text(file.read_text().replace("mfcc", "mfc"))
    told = mgc("experiment", "run", file)
    assert told.code == 2
    assert "No extractor is named 'mfc'" in told.err
    assert "Did you mean 'mfcc'" in told.err
    missing = mgc("experiment", "run", file.with_name("none.toml"))
    assert missing.code == 2
    assert "does not exist" in missing.err


def test_failures_are_listed_and_the_exit_code_says_so(
    mgc: Callable, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mgc import fitting
    from mgc.errors import MgcError
    from mgc.experiment import study

    real = fitting.fit

    def failing(request: fitting.FitRequest, *rest: object) -> object:
        if request.source.name == "chroma":
            raise MgcError("It is out of tune.", "Tune it.")
        return real(request, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(study.fitting, "fit", failing)
    told = mgc("experiment", "run", file)
    assert told.code == 1
    assert "1 step failed: chroma · logistic, seed 0. It is out of tune." in told.err
    assert "mfcc · logistic" in told.out


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/2/3", "a/b"])
def test_what_is_not_a_part_is_refused(mgc: Callable, tmp_path: Path, part: str) -> None:
    file = tmp_path / "small.toml"
    file.write_text("")
    told = mgc("experiment", "run", file, "--only", part)
    assert told.code == 2
    assert f"--only {part} is not a part" in told.err
