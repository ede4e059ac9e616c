"""``kill -9`` at random moments, of workers and of the run itself: the same bytes in the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mgc.features.extraction.shard_writer import SHARD_TRACKS
from tests.features.extraction.test_extract import shards, sources
from tests.sounds import album

WORKERS = 2
#: Prints a line for each file done, so that the test knows how much a kill may cost.
RUN = """
import sys
from contextlib import contextmanager
from pathlib import Path
from mgc.features.extraction import extract
from tests.features.extraction.test_extract import sources

class Lines:
    @contextmanager
    def task(self, *_):
        yield self
    def advance(self, count=1):
        sys.stdout.write("x")
        sys.stdout.flush()
    def say(self, line):
        pass

paths = sorted(Path(sys.argv[1]).iterdir())
done = extract(paths, sources(), Lines(), workers=int(sys.argv[2]))
assert not done.failures, done.failures
"""


def start(music: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(music), str(WORKERS)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def stored() -> int:
    """Files whose features all stores hold."""
    return min(len(source.store.rows) for source in sources())


def kill_and_look(process: subprocess.Popen[bytes], victims: list[int]) -> int:
    """Kill some processes of a run; the files that were done when it had ended."""
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
    output, _ = process.communicate(timeout=240)
    return len(output)


def family(process: subprocess.Popen[bytes]) -> list[int]:
    """The fork server and the workers of a run."""
    try:
        return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def wait(seconds: float, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        time.sleep(0.005)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [int(os.environ.get("MGC_KILLS", "5"))])
def test_killed_and_resumed(
    tmp_path: Path, mgc_home: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    """Moments are spread over the whole run: from its start to the last shard."""
    paths = album(tmp_path / "music", 150, seconds=1.2)
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "untouched"))
    whole = start(paths[0].parent)
    begun = time.monotonic()
    assert len(whole.communicate(timeout=240)[0]) == len(paths)
    duration = time.monotonic() - begun
    expected = shards(sources())
    monkeypatch.setenv("MGC_HOME", str(mgc_home))
    dice = random.Random(0)
    for number in range(kills):
        before = stored()
        process = start(paths[0].parent)
        wait(duration * dice.uniform(0.3, 1.0), process)
        workers = family(process)
        if number % 3 == 2 and workers:  # a worker or the fork server: the run goes on to its end
            kill_and_look(process, [dice.choice(workers)])
            assert process.returncode == 0
            assert shards(sources()) == expected
        else:
            done = kill_and_look(process, [process.pid])
            lost = before + done - stored()
            assert lost <= SHARD_TRACKS * WORKERS  # at most a shard a worker is made again
        _, alive = psutil.wait_procs([psutil.Process(p) for p in workers if _lives(p)], 20)
        assert not alive
        if stored() == len(paths) and number < kills - 1:  # begin again
            for source in sources():
                for path in source.store.folder.iterdir():
                    path.unlink()
    assert len(start(paths[0].parent).communicate(timeout=240)[0]) <= len(paths)
    assert shards(sources()) == expected


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid)
