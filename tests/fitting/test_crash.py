"""A head whose code ends the process: what it leaves is named, and everything else works."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FIT = ("fit", "-e", "mfcc", "--head", "logistic")
CRASH = f"""
import os, sys
from mgc.heads.logistic import Logistic
Logistic.fit = lambda *_, **__: os._exit(3)
sys.argv = ["mgc", *{FIT!r}]
from mgc.cli.app import main
main()
"""


def test_a_run_whose_head_ends_the_process_is_interrupted_and_continued(
    mgc: Callable, mgc_home: Path, music: Path
) -> None:
    assert mgc("data", "add", "m", music).code == 0
    environment = {**os.environ, "MGC_HOME": str(mgc_home)}
    left = subprocess.run([sys.executable, "-c", CRASH], env=environment, capture_output=True)
    assert left.returncode == 3, left.stderr
    [run] = mgc("runs", "list", "--json").json
    assert run["state"] == "interrupted"
    told = mgc("compare")
    assert told.code == 2
    assert "no finished run on m" in told.err
    told = mgc("predict", next(music.rglob("*.wav")), "--run", run["name"])
    assert f"Run '{run['name']}' did not finish" in told.err
    told = mgc(*FIT)
    assert told.code == 0
    assert f"Continuing run {run['name']}, which was interrupted" in told.err
    assert [one["state"] for one in mgc("runs", "list", "--json").json] == ["finished"]
