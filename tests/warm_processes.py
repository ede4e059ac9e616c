"""Processes for tests of what a process leaves behind: forked from one that has imported what
commands need, which saves seconds of imports each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

IMPORTED = (
    *("torch", "torchaudio", "pandas", "pyarrow.parquet", "sklearn.linear_model", "sklearn.svm"),
    *("skops.io", "matplotlib.figure", "mgc.cli.app", "mgc.fitting", "mgc.prediction.model"),
    *("mgc.evaluation.compare", "mgc.reporting.page.build", "mgc.checks.torch_heads"),
)


def start(
    run: Callable[..., object], *arguments: object, out: Path, env: Mapping[str, str]
) -> BaseProcess:
    """Call a function in a process of its own, whose stdout goes to ``out`` and whose stderr to
    ``out`` with the suffix ``.err``."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*IMPORTED])
    process = context.Process(target=_run, args=(run, arguments, str(out), dict(env), os.getcwd()))
    process.start()
    return process


def _run(
    run: Callable[..., object],
    arguments: tuple[object, ...],
    out: str,
    env: Mapping[str, str],
    folder: str,
) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, stream in ((out, sys.stdout), (os.path.splitext(out)[0] + ".err", sys.stderr)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(file, stream.fileno())
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    run(*arguments)


def mgc(*words: str) -> None:
    """The command line."""
    from mgc.cli import app

    sys.argv = ["mgc", *words]
    app.main()
