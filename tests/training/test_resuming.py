"""A training that was stopped, wherever, ends as one that was not."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from mgc.errors import MgcError
from mgc.progress import Silent
from mgc.training.checkpoint import Checkpoint, load_checkpoint
from mgc.training.fit import fit_head
from mgc.training.head_spec import HeadSpec
from tests.training import worker
from tests.tunes import split, track_data

ROOT = Path(__file__).parents[2]
# All that draws at random is on: crops, mixup, masks, dropout; and all that has a state.
TRAINING = {
    "epochs": 6,
    "batch_size": 12,
    "crop_frames": 48,
    "ema": 0.9,
    "mixup": 0.3,
    "patience": 0,
    "precision": "fp32",
}


class StopAfter(Silent):
    """Ctrl-C once an epoch is over."""

    def __init__(self, epoch: int) -> None:
        self.last = epoch
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def epoch(self, row: Any) -> None:
        if row["epoch"] == self.last:
            raise KeyboardInterrupt


def fit(folder: Path, head: str = "cnn", **options: Any) -> Any:
    data = track_data(strength=0.6)
    train, validation, _ = split(data)
    settings = {**TRAINING, **options.pop("training", {})}
    return fit_head(
        HeadSpec(head, {}, settings), data, train, validation,
        seed=options.pop("seed", 3), device="cpu", folder=folder, **options,
    )  # fmt: skip


def untimed(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "seconds": 0} for row in history]


@pytest.mark.parametrize("head", ["cnn", "attention"])
def test_ctrl_c_leaves_a_checkpoint_that_goes_on_to_the_same_end(head: str, tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole", head)
    for last in (1, 5):
        folder = tmp_path / str(last)
        with pytest.raises(KeyboardInterrupt):
            fit(folder, head, progress=StopAfter(last))
        assert (folder / "checkpoint.safetensors").exists()
        assert not (folder / "head.json").exists()
        resumed = fit(folder, head, resume=True)
        assert untimed(resumed.history) == untimed(whole.history)
        assert_same_files(tmp_path / "whole", folder)
        assert not (folder / "checkpoint.safetensors").exists()


def assert_same_files(a: Path, b: Path) -> None:
    one, other = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_killed_at_a_random_moment(tmp_path: Path, one_thread: None) -> None:
    settings = {**TRAINING, "epochs": 40}
    jobs = json.dumps({"cnn": settings})
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.worker", str(tmp_path), jobs],
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    killed = tmp_path / "cnn"
    wait_for_epoch(random.randint(1, 10), killed / "history.jsonl", process)
    time.sleep(random.uniform(0, 0.03))
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()
    assert not (killed / "head.json").exists()
    resumed = worker.fit(killed, "cnn", settings)
    whole = worker.fit(tmp_path / "whole", "cnn", settings)
    assert untimed(resumed["history"]) == untimed(whole["history"])
    assert resumed["probabilities"] == whole["probabilities"]
    assert_same_files(killed, tmp_path / "whole")


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def wait_for_epoch(epoch: int, history: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 100
    while not history.exists() or history.read_text().count("\n") < epoch:
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < until
        time.sleep(0.005)


def test_resuming_what_is_finished_reads_it_back(tmp_path: Path) -> None:
    first = fit(tmp_path)
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    (tmp_path / "checkpoint.safetensors").write_bytes(b"left by a kill just before the end")
    again = fit(tmp_path, resume=True)
    assert again.history == first.history
    assert not (tmp_path / "checkpoint.safetensors").exists()
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before


def test_without_resume_a_checkpoint_is_forgotten(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, progress=StopAfter(2), seed=1)
    fitted = fit(tmp_path, seed=2)
    assert [row["epoch"] for row in fitted.history] == list(range(1, 7))


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"seed": 4}, "seed"), ({"training": {"learning_rate": 0.01}}, "training")],
)
def test_a_checkpoint_of_another_training_is_refused(
    changed: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, progress=StopAfter(2))
    with pytest.raises(MgcError, match=f"another training: it differs in {named}"):
        fit(tmp_path, resume=True, **changed)


def test_a_checkpoint_is_read_on_a_numbered_cpu(tmp_path: Path) -> None:
    """Of several processes on CPUs, each has the device ``cpu:0``."""
    setup = {"seed": 1}
    Checkpoint(setup, epoch=2, tensors={"model": {"weight": torch.ones(3)}}).save(tmp_path)
    read = load_checkpoint(tmp_path, setup, torch.device("cpu:0"), Silent())
    assert read.epoch == 2
    assert read.tensors["model"]["weight"].tolist() == [1, 1, 1]


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda _: b"\x00" * 64, lambda c: c[:-100], lambda c: flipped(c, -100)],
)
def test_a_damaged_checkpoint_is_named_and_not_used(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    whole = fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, progress=StopAfter(1))
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    progress = StopAfter(0)
    again = fit(tmp_path, resume=True, progress=progress)
    assert [f"{path} is damaged" in line for line in progress.said] == [True]
    assert untimed(again.history) == untimed(whole.history)


def test_a_checkpoint_with_a_flipped_bit_anywhere_is_damaged(tmp_path: Path) -> None:
    Checkpoint({"seed": 1}, epoch=2, tensors={"model": {"w": torch.ones(3)}}).save(tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    content = path.read_bytes()
    header = len(content) - 3 * 4
    for place in range(len(content)):
        path.write_bytes(flipped(content, place))
        read = load_checkpoint(tmp_path, {"seed": 1}, torch.device("cpu"), Silent())
        same = read.epoch == 2 and read.tensors["model"]["w"].tolist() == [1, 1, 1]
        assert read.epoch == 0 or (same and place < header), place
