"""What a plug-in's code does to the process is undone; if the process ends in it, it is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mgc.plugins.process_guard import guarded

CHANGES = {
    "folder": "os.chdir('/')",
    "environment": "os.environ['MGC_HOME'] = '/nowhere'",
    "search path": "sys.path.clear()",
    "streams": "sys.stdout = None",
    "depth": "sys.setrecursionlimit(5_000)",
    "mask": "os.umask(0o777)",
    "numpy's errors": "np.seterr(all='raise')",
    "warnings": "warnings.simplefilter('error')",
    "type": "torch.set_default_dtype(torch.float64)",
    "device": "torch.set_default_device('meta')",
    "threads": "torch.set_num_threads(torch.get_num_threads() + 1)",
    "gradients": "torch.set_grad_enabled(False)",
    "determinism": "torch.use_deterministic_algorithms(True)",
    "backend": "torch.backends.mkldnn.enabled = not torch.backends.mkldnn.enabled",
    "precision": "torch.set_float32_matmul_precision('medium')",
}


def state() -> list[Any]:
    import warnings

    import numpy as np

    mask = os.umask(0o022)
    os.umask(mask)
    own: list[Any] = [
        os.getcwd(),
        dict(os.environ),
        list(sys.path),
        sys.stdout,
        sys.getrecursionlimit(),
    ]
    own += [mask, np.geterr(), list(warnings.filters), torch.get_default_dtype()]
    own += [torch.get_default_device(), torch.get_num_threads(), torch.is_grad_enabled()]
    own += [torch.are_deterministic_algorithms_enabled(), torch.backends.mkldnn.enabled]
    return [*own, torch.get_float32_matmul_precision()]


@pytest.mark.parametrize("change", CHANGES)
def test_what_it_changes_is_undone(change: str) -> None:
    before = state()
    with guarded("head 'odd'"):
        exec(f"import os, sys, warnings\nimport numpy as np, torch\n{CHANGES[change]}")
    after = state()
    for each in (before, after):
        each[1].pop("TORCHINDUCTOR_CACHE_DIR", None)  # set when determinism is set
    assert after == before


@pytest.mark.parametrize(
    ("does", "named"),
    [
        ("os.kill(os.getpid(), 9)", True),
        ("os.abort()", True),
        ("__import__('ctypes').string_at(0)", True),
        ("os.fork() or os._exit(0)", False),
        ("pass", False),
    ],
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
def test_the_end_of_the_process_names_it(does: str, named: bool) -> None:
    code = (
        f"import os\nfrom mgc.plugins.process_guard import guarded\nwith guarded('fit'):\n {does}"
    )
    root = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False
    )
    assert ("The process ended in fit." in ended.stderr) == named, ended.stderr
    assert bool(ended.returncode) == named


def test_leaving_by_the_back_door_is_an_error() -> None:
    with pytest.raises(SystemExit), guarded("fit"):
        os._exit(0)
    assert os._exit.__name__ == "_exit"
