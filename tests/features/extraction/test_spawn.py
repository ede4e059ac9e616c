"""Extraction with spawned processes, as where nothing can be forked: the same numbers and rules."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mgc.audio.processes import launch, pool
from mgc.errors import MgcError
from mgc.features.extraction import extract
from tests.features.extraction.hostile import HANG, KILL, SEGFAULT, hostile, told
from tests.features.extraction.test_extract import shards, sources
from tests.sounds import album

__all__ = ["hostile"]


@pytest.fixture(autouse=True)
def _spawn(mgc_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGC_START_METHOD", "spawn")


def test_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = album(tmp_path / "music", 40, seconds=0.6)
    (tmp_path / "music" / "0030.wav").write_text("no music")
    made = {}
    for method, workers in (("spawn", 2), ("fork", 2), ("none", 1)):
        monkeypatch.setenv("MGC_START_METHOD", method)
        monkeypatch.setenv("MGC_HOME", str(tmp_path / f"home {method}"))
        done = extract(paths, sources(), workers=workers)
        assert (done.made, len(done.failures)) == (39, 1)
        made[method] = shards(sources())
    assert len(made["spawn"]) > 3
    assert made["spawn"] == made["fork"] == made["none"]


def test_where_nothing_can_be_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process needs what only POSIX has, and nobody has to choose."""
    monkeypatch.delenv("MGC_START_METHOD")
    monkeypatch.delattr(os, "fork")
    without = """
import os, signal, socket
del os.fork, signal.SIGCHLD, socket.send_fds, socket.recv_fds
"""
    monkeypatch.setattr(launch, "_RUN", without + launch._RUN)
    assert extract(album(tmp_path, 3), sources("mel"), workers=2).made == 3


def test_files_that_crash_or_hang_are_named(
    tmp_path: Path, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "FILE_SECONDS", 15.0)
    paths = [told(tmp_path / f"{n}.wav", 0.05 + n / 1e4) for n in range(12)]
    for number, what in ((2, SEGFAULT), (5, HANG), (8, KILL)):
        told(paths[number], what, seconds=0.5 + number / 100)
    before = set(psutil.Process().children(recursive=True))  # of other tests: W&B's service
    done = extract(paths, sources("mel", hostile), workers=2)
    assert done.made == 11  # mel is kept where the other extractor alone has failed
    reasons = {failure.path.name: failure.reason for failure in done.failures}
    crashed = "extractor 'hostile': its process crashed 3 times"
    assert f"{crashed} (SIGSEGV: a crash" in reasons["2.wav"]
    assert reasons["5.wav"] == f"{paths[5]}: takes more than 0 min."
    assert f"{crashed} (SIGKILL: memory may have run out" in reasons["8.wav"]
    assert len(reasons) == 3
    assert not set(psutil.Process().children(recursive=True)) - before


RUN = """
import sys
from pathlib import Path
from mgc.features.extraction import extract
from tests.features.extraction.test_extract import sources
extract(sorted(Path(sys.argv[1]).glob("*.wav")), sources("hostile"), workers=2)
"""


def busy(worker: psutil.Process) -> bool:
    """Whether it works, or was a short one: the reading of a package's declarations."""
    try:
        return bool(worker.status() == psutil.STATUS_RUNNING)
    except psutil.NoSuchProcess:
        return True


def test_nothing_is_left_when_the_run_is_killed(tmp_path: Path, hostile: str) -> None:
    """Not even a worker that hangs: it is in the middle of a file, and is not asked again."""
    for number in range(4):
        told(tmp_path / f"{number}.wav", HANG, seconds=0.5 + number / 100)
    site = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
    run = subprocess.Popen([sys.executable, "-c", site + RUN, str(tmp_path)])
    workers: list[psutil.Process] = []
    deadline = time.monotonic() + 120
    while len(workers) < 2 or any(map(busy, workers)):
        assert time.monotonic() < deadline
        workers = psutil.Process(run.pid).children(recursive=True)
        time.sleep(0.5)
    time.sleep(3)
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE]


def test_workers_that_cannot_start_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_RUN", "raise SystemExit('no room')")
    with pytest.raises(MgcError, match="no room") as caught:
        extract(album(tmp_path, 3), sources("mel"), workers=2)
    assert "--workers 1" in caught.value.hint
