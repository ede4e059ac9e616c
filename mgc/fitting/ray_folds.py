"""Folds on a Ray cluster, whose nodes see this home; names and predictions travel."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch

from mgc.audio.processes import messages
from mgc.errors import MgcError
from mgc.features.extraction.ray_cluster import connected
from mgc.features.store_folders import features_root
from mgc.fitting import fold_training
from mgc.fitting.fold_workers import Answer, FoldWorkers
from mgc.home import home

MAX_RETRIES = 3  # of a fold whose node or worker is lost: it continues from its last epoch


@contextmanager
def on_ray(address: str, gpu_share: float) -> Iterator[FoldWorkers]:
    """Workers on a cluster: a CPU per fold, or ``gpu_share`` of a GPU if the run asks for one."""
    with connected(address) as ray:
        tasks = _Tasks(ray, gpu_share)
        there = ray.cluster_resources()
        count = int(there.get("CPU", 1) + there.get("GPU", 0) / gpu_share)
        with closing(FoldWorkers(count, tasks.ask)) as workers, closing(tasks):
            yield workers


class _Tasks:
    def __init__(self, ray: Any, gpu_share: float) -> None:
        self.ray = ray
        self.gpu_share = gpu_share
        self.do = ray.remote(max_retries=MAX_RETRIES)(do)
        self.out = set[Any]()
        self.ended = False

    def ask(self, request: Mapping[str, Any]) -> Answer:
        """The answer of a node. Raises MgcError if it fails, or if the fold is lost too often."""
        gpu = request["device"].startswith("cuda")
        needs = {"num_cpus": 1, "num_gpus": self.gpu_share} if gpu else {"num_cpus": 1}
        where = {"MGC_HOME": str(home()), "MGC_FEATURES": str(features_root())}
        task = self.do.options(**needs).remote(request, where)
        self.out.add(task)
        try:
            said: dict[str, Any] = self.ray.get(task)
        except self.ray.exceptions.RayError as error:
            if self.ended:
                raise KeyboardInterrupt from error
            raise MgcError(
                f"The Ray cluster lost fold {request['fold'] + 1} of {Path(request['run']).name} "
                f"({type(error).__name__}).",
                "The same command continues.",
            ) from error
        finally:
            self.out.discard(task)
        if "error" in said:
            messages.raise_error(said)
        return said

    def close(self) -> None:
        self.ended = True
        for task in list(self.out):
            self.ray.cancel(task, force=True)


def do(request: Mapping[str, Any], where: Mapping[str, str]) -> Answer:
    """Train a fold on a node, with the driver's home and features."""
    os.environ.update(where)
    torch.set_num_threads(1)
    try:
        if not Path(request["run"], "run.json").exists():
            raise MgcError(
                f"{request['run']} is not there.", "Use a home that all nodes share: --home."
            )
        return fold_training.train(request)
    except MgcError as error:
        return {"error": f"{socket.gethostname()}: {error.message}", "hint": error.hint}
