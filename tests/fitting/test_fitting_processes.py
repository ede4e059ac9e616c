"""``torchrun -m mgc fit``: two processes on this machine, one run folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mgc import runs
from mgc.datasets.importers import importing

LAUNCHER = ["torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]


def test_two_processes_make_one_run(mgc_home: Path, music: Path) -> None:
    importing.add_path("m", music, group_by=None, seed=0, drop_rare=False)
    words = ["fit", "-e", "mfcc", "--head", "cnn", "--set", "epochs=2", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-m", *LAUNCHER, "--nproc-per-node", "2", "-m", "mgc", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found, errors = runs.everything()
    assert errors == []
    assert [run.name for run in found] == ["m-mfcc-cnn-1"]
    assert found[0].finished
    assert len(found[0].predictions) == 30
    assert done.stdout.count("m-mfcc-cnn-1") == 1
