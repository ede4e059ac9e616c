"""A home that cannot be written, is full, is locked by another process or knows no locks: commands
that only read work, the others say what and where."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

import filelock
import pytest

from mgc.plugins import registry
from tests import warm_processes
from tests.conftest import called

FIRST, SECOND = "mine-mfcc-logistic-1", "mine-mfcc-svm-1"
READING = (
    "data list", "data show mine", "data audit mine", "data split mine --list",
    "data export mine OUT/mine.csv --force", "features list", "features show mel",
    "features status", "features verify", "features show SONG -e mel -o OUT/song.png",
    "runs list", "runs verify",
    f"runs show {FIRST}", "compare", "compare --json --by-genre --agreement",
    "predict SONG", f"predict SONG --run {FIRST} --csv",
    f"plot confusion {FIRST} -o OUT/confusion.png", f"plot comparison {FIRST} {SECOND}",
    f"plot genres {FIRST}",
    "heads list", "heads show svm",
    "strategies list", "strategies show weighted", "plugins list", "plugins check confidence",
    "experiment show PLAN",
)  # fmt: skip
WRITING = (
    "data check mine", "data use mine", "data split mine --as other", "data add more MUSIC",
    "data audit mine --fix --as apart", "features extract chroma --data mine",
    "fit -e mfcc --data mine --seed 1",
    f"ensemble confidence {FIRST} {SECOND}",
    f"runs remove {SECOND}", "features clear", "data remove mine",
)  # fmt: skip
ELSEWHERE = (
    "predict SONG -o answers.csv",
    "predict SONG -o answers.json",
    "report -o page.html",
    "demo",
)
PLAN = """name = "plan"
dataset = "mine"
extractors = ["mfcc"]
heads = ["logistic", "svm"]
strategies = ["confidence"]
"""
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, music: Path) -> Path:
    """A folder with a home that holds a dataset and two runs, and a plan of an experiment."""
    folder = tmp_path_factory.mktemp("unwritable")
    (folder / "plan.toml").write_text(PLAN)
    registry.catalogue.cache_clear()  # so that the home keeps what plug-ins declare
    fit = ("fit", "-e", "mfcc", "--head", "logistic", "--head", "svm")
    called(folder / "home", ("data", "add", "mine", music), fit)
    return folder


@pytest.mark.parametrize("state", ["read-only", "full", "locked", "without locks"])
def test_what_only_reads_works_and_the_rest_says_why_not(
    written: Path, music: Path, tmp_path: Path, state: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(written / "home", home)
    (tmp_path / "OUT").mkdir()
    names = {"OUT": tmp_path / "OUT", "SONG": next(music.rglob("*.wav")), "MUSIC": music}
    names["PLAN"] = written / "plan.toml"
    commands = []
    for command in (*READING, *WRITING):
        for name, path in names.items():
            command = command.replace(name, str(path))
        commands.append(command)
    with ExitStack() as held:
        if state == "locked":
            for path in home.glob("*.sqlite"):
                database = held.enter_context(closing(sqlite3.connect(path)))
                database.execute("BEGIN EXCLUSIVE")
            for run in (FIRST, SECOND):
                held.enter_context(filelock.FileLock(home / "runs" / f".{run}.lock"))
        if state == "read-only":
            for path in [home, *home.rglob("*")]:
                path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
        told = _told(state, commands, home)
    for path in [home, *home.rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)  # so that pytest can remove it
    folders = [path for path in (home / "runs").iterdir() if path.is_dir()]
    assert [folder.name for folder in folders if not any(folder.iterdir())] == []
    for command, (code, out, err) in zip(READING, told, strict=False):
        assert (code, bool(out)) == (0, True), f"{command}: {err}"
    for command, (code, _, err) in zip(WRITING, told[len(READING) :], strict=True):
        assert "itself failed" not in err, f"{command}: {err}"
        said = (str(home) in err or "trained by another process" in err) and "Hint:" in err
        assert (code, said) == (1, True) or (code == 0 and state != "read-only"), (command, err)


def test_a_full_disk_leaves_nothing_half_written(
    written: Path, music: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(written / "home", home)
    song = str(next(music.rglob("*.wav")))
    fits = "fit -e mfcc --head svm --seed 2 --data mine"
    commands = [words.replace("SONG", song) for words in (*ELSEWHERE, fits)]
    for command, (code, _, err) in zip(commands, _told("full", commands, home), strict=True):
        assert code == 1, (command, err)
        assert err.count("Error: Cannot write ") == err.count("Hint: ") == 1, (command, err)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    runs = sorted(path.name for path in (home / "runs").iterdir() if path.is_dir())
    assert runs == [FIRST, SECOND]
    assert not list(home.rglob("*.flac"))


def _told(state: str, commands: list[str], home: Path) -> list[tuple[int, str, str]]:
    """The exit code and the output of each command, in a process of its own."""
    target = home.parent / "told.json"
    environment = {**os.environ, "MGC_HOME": str(home)}
    if state == "read-only" and os.geteuid() == 0:
        if shutil.which(UNPRIVILEGED[0]) is None:
            pytest.skip("root may write everything, and there is no setpriv")
        program = [*UNPRIVILEGED, sys.executable, "-c", CALL, state, json.dumps(commands), target]
        subprocess.run(program, cwd=home.parent, env=environment, check=True, timeout=300)
    else:
        process = warm_processes.start(
            tell, state, commands, target, out=home.parent / "out", env=environment
        )
        process.join(300)
        assert process.exitcode == 0, (home.parent / "out.err").read_text()
        for name in ("out", "out.err"):
            (home.parent / name).unlink()
    told: list[tuple[int, str, str]] = json.loads(target.read_text())
    target.unlink()
    return told


CALL = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.cli.test_unwritable_home import tell
tell(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]))
"""


def tell(state: str, commands: list[str], target: Path) -> None:
    """Write the exit code and the output of each command, as JSON."""
    import resource

    from mgc.audio import file_cache
    from mgc.cli import app

    tempfile.tempdir = os.getcwd()  # found by writing a file, else
    file_cache.FileCache.find.__defaults__ = (0.01,)
    file_cache.LOCKED_SECONDS = 0.01
    if state == "without locks":
        fcntl.flock = fcntl.lockf = _no_locks  # type: ignore[assignment]
        sqlite3.connect = _no_database  # type: ignore[assignment]
    told = []
    for words in commands:
        sys.argv = ["mgc", *words.split()]
        if state == "full" and "OUT/" not in words:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        code, out, err = 0, io.TextIOWrapper(io.BytesIO()), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                app.main()
            except SystemExit as left:
                code = left.code or 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        out.flush()
        told.append((code, out.buffer.getvalue().decode(), err.getvalue()))
    target.write_text(json.dumps(told))


def _no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def _no_database(*_: object, **__: object) -> None:
    raise sqlite3.OperationalError("locking protocol")
