"""Fits heads in a process of its own: ``python -m tests.training.worker FOLDER JSON``.

The JSON maps a head to its training settings and, by ``params``, its own. Run by torchrun it is
one of several processes. The first writes ``result.json`` into a folder for each head.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from mgc.training import processes
from mgc.training.fit import fit_head
from mgc.training.head_spec import HeadSpec
from tests.tunes import split, track_data


def fit(folder: Path, head: str, settings: dict[str, Any]) -> dict[str, Any]:
    """History and test probabilities of one training; it goes on from a checkpoint."""
    data = track_data(strength=0.6)
    train, validation, test = split(data)
    training = {name: value for name, value in settings.items() if name != "params"}
    spec = HeadSpec(head, settings.get("params", {}), training)
    fitted = fit_head(
        spec, data, train, validation, seed=3, device="cpu", folder=folder, resume=True
    )
    probabilities, _ = fitted.predict([data.features[track] for track in test])
    return {"history": fitted.history, "probabilities": probabilities.tolist()}


def main(folder: Path, jobs: str) -> None:
    """Meet the other processes, if any; fit one head after the other."""
    torch.set_num_threads(1)
    rank = os.environ.get("RANK", "0")
    processes.meet("cpu")
    agreed = processes.from_main(f"said by {rank}: é")
    folder.mkdir(exist_ok=True)
    (folder / f"agreed-{rank}.txt").write_text(agreed)
    for head, settings in json.loads(jobs).items():
        result = fit(folder / head, head, settings)
        if rank == "0":
            (folder / head / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
