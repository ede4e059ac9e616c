"""Weights & Biases, offline; the files are read back with W&B's own reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgc.errors import MgcError
from mgc.progress import Silent
from mgc.training.tracking import Guarded, Summary, WandbSettings, WandbTracker

SECRET = "0123456789abcdef0123456789abcdef01234567"
METRICS = {"accuracy": 0.75, "f1": 0.5}


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where W&B writes; a secret key stands in the environment."""
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "tracking"


def run_folder(parent: Path) -> Path:
    folder = parent / "demo-mel-cnn"
    (folder / "fold-0").mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "fold-0" / "model.safetensors").write_bytes(b"weights")
    return folder


def summary() -> Summary:
    truth = np.arange(30) % 3
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    return Summary(METRICS, ["jazz", "metal", "pop"], truth, probabilities)


def records(folder: Path) -> list[dict[str, Any]]:
    """All records of the run, as ``wandb leet inspect`` prints them."""
    (file,) = folder.rglob("run-*.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


def test_config_figures_plots_and_artifact_are_in_the_run(offline: Path, tmp_path: Path) -> None:
    tracker = WandbTracker("demo", WandbSettings(project="genres", folder=offline))
    tracker.start({"head": {"name": "cnn", "params": {"width": 16}}})
    for step in range(1, 4):
        tracker.log({"step": step, "batch_loss": 1 / step})
    tracker.log({"epoch": 1, "train_loss": 0.6, "validation_accuracy": 0.5})
    fold = Guarded(tracker, Silent(), "fold-1")
    fold.log({"epoch": 1, "train_loss": 0.7})
    folder = run_folder(tmp_path)
    tracker.finish(summary(), folder)

    found = records(offline)
    run = next(r["run"] for r in found if r["type"] == "run")
    assert (run["project"], run["display_name"]) == ("genres", "demo")
    assert run["config"]["update"]["head"] == {"name": "cnn", "params": {"width": 16}}
    items = [r["history"]["item"] for r in found if r["type"] == "history"]
    losses = [item["batch_loss"] for item in items if "batch_loss" in item]
    assert losses == pytest.approx([1, 1 / 2, 1 / 3])
    assert any(i.get("validation_accuracy") == 0.5 and i["epoch"] == 1 for i in items)
    assert any(i.get("fold-1/train_loss") == 0.7 and i["fold-1/epoch"] == 1 for i in items)
    final = [r["summary"]["update"] for r in found if r["type"] == "summary"]
    assert METRICS in final
    axes = {r["metric"]["name"]: r["metric"]["step_metric"] for r in found if r["type"] == "metric"}
    assert axes["batch_loss"] == "step"
    assert axes["train_loss"] == "epoch"
    assert axes["fold-1/train_loss"] == "fold-1/epoch"
    artifacts = [r["artifact"] for r in found if r["type"] == "artifact"]
    files = {
        part["path"] for a in artifacts if a["type"] == "run" for part in a["manifest"]["contents"]
    }
    assert files == {"run.json", "fold-0/model.safetensors"}


def test_the_confusion_matrix_and_the_curves_are_there(offline: Path, tmp_path: Path) -> None:
    tracker = WandbTracker("demo", WandbSettings(folder=offline))
    tracker.start({})
    truth = summary()
    tracker.finish(truth, run_folder(tmp_path))
    tables = {path.name.split("_table")[0]: path for path in offline.rglob("*.table.json")}
    assert set(tables) == {"confusion_matrix", "precision_recall_curve", "roc_curve"}
    rows = json.loads(tables["confusion_matrix"].read_text())["data"]
    counts = {(actual, predicted): count for actual, predicted, count in rows}
    chosen = truth.probabilities.argmax(1)
    for i, actual in enumerate(truth.genres):
        for j, predicted in enumerate(truth.genres):
            assert counts[actual, predicted] == ((truth.truth == i) & (chosen == j)).sum()


def test_no_secret_is_written_and_nothing_is_printed(
    offline: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tracker = WandbTracker("demo", WandbSettings(folder=offline))
    tracker.start({"head": "cnn"})
    tracker.log({"step": 1, "batch_loss": 0.5})
    tracker.finish(summary(), run_folder(tmp_path))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 5
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    assert capfd.readouterr() == ("", "")


def test_online_without_a_login_is_an_error_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    tracker = WandbTracker("demo", WandbSettings(mode="online", folder=tmp_path, patience=1))
    with pytest.raises(MgcError, match="Weights & Biases cannot start") as caught:
        tracker.start({})
    assert "wandb login" in caught.value.hint
