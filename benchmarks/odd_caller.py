"""A process that makes one call of mgc after another, started again if it crashes or hangs."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

WORKER = """
import contextlib, io, json, os, sys
answers, calls = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(0))
null = os.open(os.devnull, os.O_RDWR)
for number in (0, 1, 2): os.dup2(null, number)
from mgc.cli.app import main
for line in calls:
    sys.argv, code = ["mgc", *json.loads(line)], 0
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", how, write_through=True)
                for how in ("strict", "backslashreplace"))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
        except BaseException as error:
            code = f"Traceback: {type(error).__name__}: {error}"
    texts = [one.buffer.getvalue().decode("utf-8", "replace") for one in (out, err)]
    print(json.dumps([code, *texts]), file=answers, flush=True)
"""
LIMIT = 60.0  # seconds for a call; the longest usual one takes five
RUN = "{run}"  # its name has its time


class Answer(NamedTuple):
    """What a call left: the exit code (or what broke it), stdout and stderr."""

    code: int | str
    out: str = ""
    err: str = ""

    @property
    def fault(self) -> str:
        """Which fault it shows; "" if none."""
        if self.code in ("hang", "crash"):
            return str(self.code)
        if "mgc itself failed" in self.err or "Traceback" in f"{self.code}{self.err}":
            return "traceback"
        return "" if self.code in (0, 1, 2) else "exit code"


class Caller:
    """Makes calls in a worker process."""

    def __init__(self, folder: Path, limit: float = LIMIT) -> None:
        self.folder, self.limit, self.worker = folder, limit, self._started(folder)
        self.run = ""

    def _started(self, folder: Path) -> subprocess.Popen[bytes]:
        own = os.environ | {
            "MGC_HOME": str(folder / "home"),
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "OMP_NUM_THREADS": "1",
        }
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=pipe,
            stdout=pipe,
            bufsize=0,
            cwd=folder,
            env=own,
        )

    def call(self, words: list[str]) -> Answer:
        """What ``mgc WORDS`` answers."""
        worker = self.worker
        if worker.stdin is None or worker.stdout is None:
            raise ValueError("the process has no pipes")
        words = [self.run if word == RUN else word for word in words]
        with suppress(BrokenPipeError):  # it has crashed
            worker.stdin.write(json.dumps(words).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            if not select.select([worker.stdout], [], [], self.limit)[0]:
                return self._again("hang")
            if not (more := os.read(worker.stdout.fileno(), 1 << 20)):
                return self._again("crash")
            answer += more
        return Answer(*json.loads(answer))

    def _again(self, code: str) -> Answer:
        self.close()
        self.worker = self._started(self.folder)
        return Answer(code)

    def close(self) -> None:
        """End the worker and what it has started."""
        started: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(self.worker.pid).children(recursive=True)
        self.worker.kill()
        self.worker.communicate()
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
