"""The same plug-in in another process: what importing it loads, and whether the numbers agree.

Run as ``python -m mgc.checks.subprocess_probe``: one request per line as JSON on stdin, one answer
per line on stdout. The process stays for the next request, because torch takes seconds to import.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from mgc.checks.base import Problem, Subject, music
from mgc.errors import in_words

#: What a declaration must not import: each takes longer than `mgc … list` as a whole may take.
HEAVY = ("torch", "numpy", "scipy", "sklearn", "pandas", "librosa", "transformers", "matplotlib")
SECONDS = 1.98  # of music that both processes listen to
SEED = 11
#: Files below these are opened by imports, and by Python itself.
INSTALLED = ("/proc", "/sys", "/dev", sys.prefix, sys.base_prefix)


@dataclass(frozen=True)
class Report:
    """What the other process found: files and hosts that construction touched, the identity,
    the feature, and the error if one stopped it."""

    touched: list[str] = field(default_factory=list)
    identity: dict[str, Any] | None = None
    feature: Any = None
    error: str = ""


@cache
def heavy_imports(module: str) -> list[str]:
    """Which of `HEAVY` a fresh process has loaded after importing a plug-in's module.

    Raises `Problem` if it cannot be imported.
    """
    program = f"import sys, {module}; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    done = python("-c", program)
    if done.returncode:
        raise Problem(
            f"{module} can be imported in a fresh process",
            last_line(done.stderr) or f"exit code {done.returncode}",
            f"make `python -c 'import {module}'` work",
        )
    return last_line(done.stdout).split()


def python(*arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in another process with this one's environment and search path."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=_environment(), timeout=timeout, check=False
    )


def last_line(text: str) -> str:
    """The last line of what a process printed."""
    return text.strip().rpartition("\n")[2]


@lru_cache(maxsize=64)
def report(subject: Subject) -> Report:
    """Construct and run an extractor in another process."""
    import numpy as np

    asked = {"name": subject.info.name, "settings": subject.settings}
    process = _process(tuple(sys.path))
    assert process.stdout is not None
    try:
        print(json.dumps(asked), file=process.stdin, flush=True)
        line = process.stdout.readline()
    except OSError:
        line = ""
    if not line:
        code = process.wait()
        _process.cache_clear()
        raise Problem(
            "the extractor runs in another process",
            f"the process ended with exit code {code}",
            "do not exit the process (sys.exit), and check for crashes in native code",
        )
    answer = json.loads(line)
    if "feature" in answer:
        answer["feature"] = np.asarray(answer["feature"])
    return Report(**answer)


@cache
def _process(path: tuple[str, ...]) -> subprocess.Popen[str]:
    """The other process, with this process's search path; it ends with this one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mgc.checks.subprocess_probe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(),
    )
    atexit.register(process.kill)
    return process


def _environment() -> dict[str, str]:
    # Another hash seed, so that a set's order leaking into the numbers is noticed.
    path = os.pathsep.join(filter(None, sys.path))
    return {**os.environ, "MGC_DEBUG": "", "PYTHONPATH": path, "PYTHONHASHSEED": "4711"}


def main() -> None:
    """Answer requests until there are no more."""
    # What a plug-in prints, also from native code, must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        answer: dict[str, Any] = {}
        try:
            _run(json.loads(line), answer)
        except Exception as error:  # reported to the other process as a finding
            answer["error"] = in_words(error)
        print(json.dumps(answer), file=answers, flush=True)


def _run(asked: dict[str, Any], answer: dict[str, Any]) -> None:
    """Construct the extractor under watch, then run it on the music; fill ``answer`` meanwhile."""
    import torch

    from mgc.audio.clips import Clips, as_numpy
    from mgc.features.extractor_spec import ExtractorSpec

    source = ExtractorSpec(asked["name"], asked["settings"])
    source.params  # noqa: B018 - imports and checks everything before the watch begins
    with watched() as answer["touched"]:
        source.extractor  # noqa: B018 - constructs it
    answer["identity"] = source.identity()
    wave = music(SECONDS, source.info.sample_rate, SEED)[None]
    with torch.inference_mode():
        output = source.extractor(Clips(wave, source.info.sample_rate))
    answer["feature"] = as_numpy(output).tolist()


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """Collect the files and hosts opened during the block. The hook stays in the process."""
    touched: list[str] = []
    watching = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not watching:
            return
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            path = os.path.abspath(arguments[0])
            if not path.startswith((*INSTALLED, *filter(None, sys.path))):
                touched.append(f"it opens {path}")
        elif event == "socket.connect":
            touched.append(f"it connects to {arguments[1]}")
        elif event == "socket.getaddrinfo":
            touched.append(f"it looks up {arguments[0]}")

    sys.addaudithook(hook)
    try:
        yield touched
    finally:
        watching = False


if __name__ == "__main__":
    main()
