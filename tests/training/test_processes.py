"""Two processes on this machine (gloo) train as one does with the same batches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training import worker

ROOT = Path(__file__).parents[2]
COMMON = {"epochs": 10, "batch_size": 12, "patience": 0, "precision": "fp32"}
JOBS: dict[str, dict[str, Any]] = {
    "mlp": {**COMMON, "mixup": 0, "params": {"dropout": 0.0, "input_dropout": 0.0}},
    "cnn": {**COMMON, "crop_frames": 48},
}
LAUNCHER = ["torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """For each head the result of one process, then of two."""
    folder = tmp_path_factory.mktemp("two")
    program = ["-m", *LAUNCHER, "--nproc-per-node", "2", "-m", "tests.training.worker"]
    command = [sys.executable, *program, str(folder), json.dumps(JOBS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for rank in (0, 1):
        assert (folder / f"agreed-{rank}.txt").read_text() == "said by 0: é"
    found = {}
    for head, settings in JOBS.items():
        two = json.loads((folder / head / "result.json").read_text())
        found[head] = [worker.fit(tmp_path_factory.mktemp("one"), head, settings), two]
    return found


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def figures(result: dict[str, Any], name: str) -> np.ndarray:
    return np.array([row[name] for row in result["history"]])


def test_equal_where_nothing_depends_on_the_process(results: Any) -> None:
    """Without dropout and augmentation the gradients are the same sums: rounding remains."""
    one, two = results["mlp"]
    for name in ("train_loss", "validation_loss", "validation_accuracy", "validation_f1"):
        np.testing.assert_allclose(figures(one, name), figures(two, name), atol=1e-4)
    np.testing.assert_allclose(one["probabilities"], two["probabilities"], atol=1e-3)


def test_as_good_where_masks_and_batch_statistics_differ(results: Any) -> None:
    """The cnn's batch norm sees half a batch in each process: equal within that noise."""
    one, two = results["cnn"]
    assert figures(two, "train_loss")[-1] == pytest.approx(figures(one, "train_loss")[-1], abs=0.25)
    best = [figures(result, "validation_loss").min() for result in (one, two)]
    assert best[0] == pytest.approx(best[1], abs=0.25)
