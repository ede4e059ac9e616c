"""Extraction on all cores: the same bytes, and no file that can stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.decoding import probe
from mgc.audio.processes import launch, pool
from mgc.errors import MgcError
from mgc.features.extraction import (
    Failure,
    extract,
    features_of,
    features_of_each,
    shard_writer,
)
from mgc.features.extractor_spec import ExtractorSpec
from tests.features.extraction.hostile import HANG, KILL, KILL_ONCE, RAISE, SEGFAULT, hostile, told
from tests.features.extraction.test_extract import shards, sources
from tests.sounds import album

__all__ = ["hostile"]


@pytest.fixture(autouse=True)
def _home(mgc_home: Path) -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    for _ in range(100):  # no process is left behind
        left = set(psutil.Process().children(recursive=True)) - before
        if not left:
            break
        time.sleep(0.05)
    assert not left


@pytest.fixture
def other_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch to a second, empty home."""
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "other home"))


def test_any_number_of_workers_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = album(tmp_path / "music", 75, seconds=0.6)
    (tmp_path / "music" / "0040.wav").write_text("no music")
    (tmp_path / "music" / "0050.wav").write_bytes(paths[3].read_bytes())
    made = {}
    for workers in (1, 2, 3):
        monkeypatch.setenv("MGC_HOME", str(tmp_path / f"home {workers}"))
        done = extract(paths, sources(), workers=workers)
        assert (done.made, done.found, len(done.failures)) == (73, 1, 1)
        made[workers] = shards(sources())
    assert len(made[1]) == 3 * 4
    assert made[1] == made[2] == made[3]


def test_workers_have_one_thread_each(tmp_path: Path) -> None:
    """No oversubscription: a busy worker has no second thread of torch, BLAS or OpenMP."""
    paths = [told(tmp_path / f"{n}.wav", 0.05 + n / 1e4, seconds=1.0) for n in range(150)]
    seen: list[int] = []
    others = set(psutil.Process().children(recursive=True))  # of earlier tests

    def look() -> None:
        while not stop.is_set():
            for process in {*psutil.Process().children(recursive=True)} - others:
                try:
                    ours = "mgc.audio.processes" in " ".join(process.cmdline())
                    if ours and process.parent() and process.parent().pid != os.getpid():
                        seen.append(process.num_threads())
                except psutil.Error:
                    continue
            time.sleep(0.02)

    stop = threading.Event()
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        extract(paths, sources("mfcc", "mel"), workers=2)
    finally:
        stop.set()
        watcher.join()
    assert seen
    assert max(seen) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_features_without_a_store(tmp_path: Path, mgc_home: Path, workers: int) -> None:
    paths = album(tmp_path, 5)
    paths[2].write_text("no music")
    made = list(features_of_each(paths, sources("mel", "chroma"), workers=workers))
    assert [path for path, _, _ in made] == paths
    for path, found, (seconds, *_) in made:
        assert seconds == (0.0 if path == paths[2] else pytest.approx(probe(path).seconds))
        if path == paths[2]:
            assert isinstance(found, Failure)
            assert "does not decode" in found.reason
            continue
        expected = features_of(path, sources("mel", "chroma"))
        for rows, other in zip(found, expected.values(), strict=True):
            assert [row.tobytes() for row in rows] == [row.tobytes() for row in other]
    assert not (mgc_home / "features").exists()


@pytest.mark.parametrize(
    ("what", "reason"), [(SEGFAULT, "SIGSEGV: a crash"), (KILL, "SIGKILL: memory may have run out")]
)
def test_a_file_that_kills_its_worker_is_found_and_left_out(
    tmp_path: Path, hostile: str, what: float, reason: str
) -> None:
    paths = [told(tmp_path / f"{n}.wav", 0.05 + n / 1e4) for n in range(12)]
    told(paths[5], what)
    done = extract(paths, sources(hostile), workers=2)
    assert done.made == 11
    [failure] = done.failures
    assert failure.path == paths[5]
    crash = f"extractor 'hostile': its process crashed 3 times ({reason})."
    assert failure.reason == f"{paths[5]}: {crash}"


def test_many_files_that_kill(tmp_path: Path, hostile: str) -> None:
    paths = [told(tmp_path / f"{n}.wav", 0.05 + n / 1e4) for n in range(20)]
    bad = [0, 1, 2, 7, 19]
    for number in bad:
        told(paths[number], [SEGFAULT, KILL, RAISE][number % 3], seconds=0.5 + number / 100)
    done = extract(paths, sources(hostile), workers=3)
    assert [failure.path for failure in done.failures] == [paths[number] for number in bad]
    assert done.made == 15


def test_a_worker_that_was_killed_from_outside_costs_no_file(tmp_path: Path, hostile: str) -> None:
    paths = [told(tmp_path / f"{n}.wav", 0.05 + n / 1e4) for n in range(12)]
    told(paths[4], KILL_ONCE)
    done = extract(paths, sources(hostile), workers=2)
    assert (done.made, done.failures) == (12, [])


def test_a_file_that_hangs_is_left_out(
    tmp_path: Path, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "FILE_SECONDS", 3.0)
    paths = [told(tmp_path / f"{n}.wav", 0.05 + n / 1e4) for n in range(6)]
    told(paths[2], HANG)
    done = extract(paths, sources(hostile), workers=2)
    assert done.made == 5
    assert "takes more than" in done.failures[0].reason


def test_a_killed_fork_server_costs_no_file(tmp_path: Path) -> None:
    paths = album(tmp_path, 60, seconds=0.5)
    killed = []

    def kill() -> None:
        while not killed and not stop.is_set():
            for child in psutil.Process().children():
                with suppress(psutil.NoSuchProcess):  # a short one that has ended
                    if len(child.children()) == 2:
                        child.kill()
                        killed.append(child.pid)
            time.sleep(0.01)

    stop = threading.Event()
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        done = extract(paths, sources("mel"), workers=2)
    finally:
        stop.set()
        killer.join()
    assert killed
    assert (done.made, done.failures) == (60, [])


def test_a_fork_server_that_is_killed_while_it_starts_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "killed"
    kill = f"""
import os, pathlib, signal
marker = pathlib.Path({str(marker)!r})
if len(marker.read_text() if marker.exists() else "") < 2:
    marker.write_text((marker.read_text() if marker.exists() else "") + "x")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    monkeypatch.setattr(launch, "_RUN", kill + launch._RUN)
    assert extract(album(tmp_path / "music", 3), sources("mel"), workers=2).made == 3
    assert marker.read_text() == "xx"


def test_workers_that_cannot_start_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_RUN", "raise SystemExit('no room')")
    with pytest.raises(MgcError, match="no room") as caught:
        extract(album(tmp_path, 3), sources("mel"), workers=2)
    assert "--workers 1" in caught.value.hint


def test_an_extractor_that_is_another_in_the_worker_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mgc.audio import decoding

    monkeypatch.setattr(decoding, "DECODER", "another decoder")
    with pytest.raises(MgcError, match="different 'mel' features"):
        extract(album(tmp_path, 3), sources("mel"), workers=2)


def test_an_error_in_the_middle_ends_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MgcError("Cannot write: No space left on device.")

    monkeypatch.setattr(shard_writer, "SHARD_TRACKS", 4)
    [mel] = sources("mel")
    monkeypatch.setattr(type(mel.store), "write_shard", full)
    with pytest.raises(MgcError, match="No space left"):
        extract(album(tmp_path, 40), [mel], workers=2)


RUN = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job begins with it ignored
from mgc.features.extraction import extract
from mgc.features.extractor_spec import ExtractorSpec
from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.decoding import probe
paths = sorted(Path(sys.argv[1]).iterdir())
extract(paths, [ExtractorSpec("mel", policy=ClipPolicy(1.0, 3))], workers=int(sys.argv[2]))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_it_at_once(tmp_path: Path, workers: int) -> None:
    paths = album(tmp_path / "music", 400, seconds=2.0)
    started = subprocess.Popen(
        [sys.executable, "-c", RUN, str(paths[0].parent), str(workers)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    store = ExtractorSpec("mel", policy=ClipPolicy(1.0, 3)).store
    while not list(store.folder.glob("*.safetensors")):
        assert started.poll() is None
        time.sleep(0.02)
    family = psutil.Process(started.pid).children(recursive=True)
    os.killpg(started.pid, signal.SIGINT)
    begun = time.monotonic()
    _, said = started.communicate(timeout=20)
    assert time.monotonic() - begun < 10
    assert said.decode().strip().endswith("KeyboardInterrupt")
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    store.refresh()
    assert 32 <= len(store.rows) < 400
