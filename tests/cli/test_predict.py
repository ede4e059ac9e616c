"""``mgc predict`` as a user runs it: output as it comes, stopped, continued."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from mgc import fitting
from mgc.datasets.importers import importing
from tests import warm_processes
from tests.conftest import Told
from tests.fitting.test_fitting import asked

Call = Callable[..., Told]


@pytest.fixture
def run(mgc_home: Path, music: Path) -> str:
    """The name of a run on three genres."""
    importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
    return fitting.fit(asked()).name


@pytest.fixture
def batch(tmp_path: Path, music: Path) -> Path:
    """A folder of 120 files: copies under names of their own, one of them not UTF-8."""
    folder = tmp_path / "batch"
    folder.mkdir()
    songs = sorted(music.rglob("*.wav"))
    for number in range(119):
        os.link(shutil.copy(songs[number % 4], tmp_path), folder / f"{number:03}.wav")
    shutil.copy(songs[0], os.path.join(os.fsencode(folder), b"zz\x85.wav"))
    return folder


def started(out: Path, *arguments: object) -> BaseProcess:
    """The command in a process of its own, which prints to the file ``out``."""
    words = ("predict", *map(str, arguments), "--workers", "1")
    return warm_processes.start(warm_processes.mgc, *words, out=out, env=os.environ)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for_lines(path: Path, number: int, process: BaseProcess) -> None:
    """Until the file has so many lines, or the process has ended."""
    while process.is_alive() and lines(path) < number:
        time.sleep(0.01)


@pytest.mark.parametrize("form", ["--json", "--jsonl", "--csv"])
def test_ctrl_c_leaves_what_was_predicted_as_valid_output(
    form: str, run: str, batch: Path, tmp_path: Path
) -> None:
    out = tmp_path / "answers"
    process = started(out, batch, "--run", run, form)
    wait_for_lines(out, 5, process)
    os.kill(process.pid or 0, signal.SIGINT)
    process.join(60)
    assert process.exitcode == 130
    text = out.read_text()
    if form == "--json":
        found = json.loads(text)
    elif form == "--jsonl":
        found = [json.loads(line) for line in text.splitlines()]
    else:
        found = list(csv.DictReader(io.StringIO(text)))
    assert 0 < len(found) < 120
    assert all(row["genre"] for row in found)


def test_a_killed_file_of_answers_is_finished_by_the_same_command(
    run: str, batch: Path, tmp_path: Path
) -> None:
    whole, target, out = tmp_path / "whole.csv", tmp_path / "answers.csv", tmp_path / "out"
    process = started(out, batch, "--run", run, "-o", whole)
    process.join(90)
    assert process.exitcode == 0
    generator = random.Random(0)
    kills = 0
    while kills < 3 or not target.exists():
        before = lines(target)
        process = started(out, batch, "--run", run, "-o", target)
        wait_for_lines(target, before + 4, process)
        time.sleep(generator.random() * 0.05)
        process.kill()
        process.join()
        assert whole.read_bytes().startswith(target.read_bytes().rpartition(b"\n")[0])
        assert lines(target) >= before  # nothing done was lost
        kills += process.exitcode != 0
        if lines(target) == 121:  # faster than the kill: begin anew
            for path in tmp_path.glob("answers.csv*"):
                path.unlink()
    last = started(out, batch, "--run", run, "-o", target)
    last.join(90)
    assert last.exitcode == 0
    assert "answers of 120 already" in out.with_suffix(".err").read_text()
    assert target.read_bytes() == whole.read_bytes()


#: The same command twice: with JSON, and as a table.
TWICE = """
import sys
from mgc.cli import app
words = sys.argv[1:]
for more in (["--json"], []):
    sys.argv = ["mgc", *words, *more]
    try:
        app.main()
    except SystemExit as left:
        assert not left.code
"""


def test_any_locale_gives_utf_8(run: str, batch: Path) -> None:
    paths = [batch / "000.wav", batch / os.fsdecode(b"zz\x85.wav")]
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", TWICE, "predict", *map(str, paths), "--run", run, "--workers", "1"],
        env=env, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    out, _, table = done.stdout.partition(b"]\n")
    found = [os.fsencode(row["path"]) for row in json.loads(out.decode() + "]")]
    assert found == list(map(os.fsencode, paths))
    assert rb"zz\udc85.wav" in table


def test_lists_formats_and_refusals(mgc: Call, run: str, music: Path, tmp_path: Path) -> None:
    songs = sorted(music.rglob("*.wav"))[:2]
    (tmp_path / "list").write_text(f"{songs[0]}\n{tmp_path}/none.wav\n{songs[1]}\n")
    told = mgc("predict", "--files-from", tmp_path / "list", "--run", run, "--jsonl")
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert [row["genre"] is None for row in rows] == [False, True, False]
    assert "1 file of 3 could not be used" in told.err
    for arguments, said in [
        ([""], "A path is empty"),
        ([], "Which audio?"),
        ([songs[0], "--json", "--csv"], "Only one of --csv and --json"),
        ([songs[0], "-o", "answers.txt"], "does not say which format"),
        ([tmp_path / "none.wav"], "does not exist"),
    ]:
        told = mgc("predict", *arguments, "--run", run)
        assert told.code == 2
        assert said in told.err


def test_sets_at_a_coverage(mgc: Call, run: str, music: Path, tmp_path: Path) -> None:
    song = next(music.rglob("*.wav"))
    [plain] = mgc("predict", song, "--run", run, "--json").json
    told = mgc("predict", song, "--run", run, "--coverage", "0.7", "--json")
    assert "sets: calibrated on" in told.err
    [answer] = told.json
    assert answer["set"][0] == answer["genre"]
    assert {key: answer[key] for key in plain} == plain
    table = mgc("predict", song, "--run", run, "--coverage", "0.7").out
    assert "at 70 %" in table
    assert " or ".join(answer["set"]) in table
    into = tmp_path / "answers.csv"
    for _ in range(2):  # made, and found complete
        assert mgc("predict", song, "--run", run, "--coverage", "0.7", "-o", into).code == 0
    [row] = csv.DictReader(into.open())
    assert row["set"] == "; ".join(answer["set"])
    assert list(row)[-1] == "set"
    told = mgc("predict", song, "--run", run, "-o", into)
    assert (told.code, "made with another coverage" in told.err) == (2, True)


def test_an_impossible_coverage_or_one_that_is_not_known(mgc: Call, run: str, music: Path) -> None:
    song = next(music.rglob("*.wav"))
    told = mgc("predict", song, "--run", run, "--coverage", "1")
    assert (told.code, "A coverage of 1.0 is not possible." in told.err) == (2, True)
