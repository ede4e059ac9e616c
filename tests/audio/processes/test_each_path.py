import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mgc.audio.processes import pool
from mgc.audio.processes.each_path import each


def work(path: Path) -> str:
    if path.name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.name == "error":
        raise ValueError("no")
    return path.name.upper()


def crashed(path: Path) -> str:
    return f"crashed on {path.name}"


def test_results_of_all_come() -> None:
    names = [f"f{number}" for number in range(20)]
    found = dict(each(work, [Path(name) for name in names], 2, crashed))
    assert found == {Path(name): name.upper() for name in names}


def test_who_kills_a_process_is_named_and_the_others_are_done() -> None:
    names = [f"f{number}" for number in range(12)]
    names[3] = "crash1"
    names[9] = "crash2"
    found = dict(each(work, [Path(name) for name in names], 2, crashed))
    assert len(found) == 12
    assert {name.name: value for name, value in found.items() if "crash" in value} == {
        "crash1": "crashed on crash1",
        "crash2": "crashed on crash2",
    }


def test_an_error_of_the_work_is_an_error() -> None:
    with pytest.raises(ValueError, match="no"):
        list(each(work, [Path("a"), Path("error")], 1, crashed))


def hang(path: Path) -> str:
    time.sleep(600 if path.name == "hang" else 0)
    return path.name


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_file_that_hangs_is_named(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setenv("MGC_START_METHOD", method)
    monkeypatch.setattr(pool, "FILE_SECONDS", 1.0)
    found = list(each(hang, [Path("a"), Path("hang"), Path("b")], 2, crashed))
    assert [value for _, value in found] == ["a", "crashed on hang", "b"]


def test_nothing_to_do() -> None:
    assert list(each(work, [], 2, crashed)) == []


def slow(path: Path) -> str:
    path.write_text(str(os.getpid()))
    time.sleep(60)
    return ""


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.audio.processes.test_each_path import slow, crashed
from mgc.audio.processes.each_path import each
if __name__ == "__main__":
    list(each(slow, [Path({str(tmp_path / "pid")!r})], 1, crashed))
"""
    (tmp_path / "main.py").write_text(script)
    parent = subprocess.Popen([sys.executable, tmp_path / "main.py"])
    for _ in range(400):
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
        time.sleep(0.05)
    worker = int((tmp_path / "pid").read_text())
    parent.kill()
    parent.wait()
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        state = Path(f"/proc/{worker}/stat")
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return  # dead; nobody has asked for its code yet
        time.sleep(0.05)
    pytest.fail("the worker outlived its parent")
