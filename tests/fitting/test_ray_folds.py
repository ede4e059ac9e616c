"""An experiment on a Ray cluster of three nodes on this machine: the figures of one process.

``MGC_SEEDS=6`` makes 20 fits and more instead of 8.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mgc import fitting, runs
from mgc.errors import MgcError
from mgc.experiment.plan import read_plan
from mgc.experiment.study import COMMAND, perform, requests, steps
from mgc.fitting import ray_folds

ray = pytest.importorskip("ray", reason="the extra mgc-music[ray] is not installed")
cluster_utils = pytest.importorskip("ray.cluster_utils")
PLAN = """
name = "spread"
dataset = "m"
path = "{music}"
folds = 2
seeds = {seeds}
extractors = ["mfcc", "chroma"]
heads = ["logistic", "cnn"]
strategies = ["majority-voting"]
device = "cpu"
[settings]
epochs = 1
precision = "fp32"
"""


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    node = {"num_cpus": 1, "object_store_memory": 100 << 20}
    made = cluster_utils.Cluster(
        initialize_head=True, head_node_args={**node, "include_dashboard": False}
    )
    try:
        for _ in range(2):
            made.add_node(**node)
        ray.init(made.address, log_to_driver=False, logging_level="ERROR")
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def _contents() -> dict[str, bytes]:
    """The bytes of all models and predictions, by label, seed and file. (Which of two seeds is
    called ``…-1`` depends on which began first.)"""
    return {
        f"{run.label} {run.record.seed} {path.relative_to(run.folder)}": path.read_bytes()
        for run in runs.everything()[0]
        for pattern in ("*.safetensors", "*.parquet", "fold-*/*.safetensors", "fold-*/*.skops")
        for path in run.folder.glob(pattern)
    }


@pytest.mark.parametrize("seeds", [int(os.environ.get("MGC_SEEDS", "2"))])
def test_an_experiment_on_three_nodes(
    seeds: int,
    driver: Any,
    mgc_home: Path,
    tmp_path: Path,
    music: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "spread.toml"
    file.write_text(PLAN.format(music=music, seeds=list(range(seeds))))
    plan = read_plan(file)
    with fitting.side_by_side(None, "ray", 0.25) as workers:
        done = perform(plan, COMMAND, workers=workers, on="ray")
    assert not done.failures
    assert len(done.runs) == len(steps(requests(plan, COMMAND), [])) + seeds
    spread = _contents()
    monkeypatch.setenv("MGC_HOME", str(tmp_path / "another home"))
    perform(plan, COMMAND)
    serial = _contents()
    assert len(serial) > 16 * seeds
    assert serial == spread


def test_a_node_that_does_not_see_the_home(driver: Any, mgc_home: Path, tmp_path: Path) -> None:
    with fitting.side_by_side(None, "ray") as workers:
        assert workers is not None
        with pytest.raises(MgcError, match="is not there") as caught:
            workers.ask({"run": str(tmp_path / "m-1"), "fold": 0, "device": "cpu"})
    assert "all nodes share" in caught.value.hint


def test_a_gpu_is_shared(driver: Any, mgc_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray believes that a node has a GPU; four folds fit on it at once."""
    node = driver.add_node(num_cpus=4, num_gpus=1, object_store_memory=100 << 20)
    try:
        with fitting.side_by_side(None, "ray", 0.25) as workers:
            assert workers is not None
            monkeypatch.setattr(ray_folds, "do", _together)
            tasks = ray_folds._Tasks(ray, 0.25)
            asked = [{"run": "", "fold": fold, "device": "cuda"} for fold in range(4)]
            answers = list(workers.folds.map(tasks.ask, asked))
        assert {answer["gpu"] for answer in answers} == {0}
    finally:
        driver.remove_node(node)


def _together(request: Any, where: Any) -> dict[str, Any]:
    return {"gpu": ray.get_gpu_ids()[0]}
