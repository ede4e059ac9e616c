"""A training in progress, as one safetensors file: complete or absent, and never a pickle.

The file holds the weights, the average weights, the best weights and the optimiser's state as
tensors; everything else is JSON in its header. No random state is kept: every epoch draws from
generators seeded by (seed, epoch, process), so an epoch is the same whenever it is run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mgc.errors import MgcError
from mgc.home import CHANGED, OWN, checksum, replace_file
from mgc.progress import Progress
from mgc.training.fitted_head import CHECKPOINT

Weights = dict[str, Tensor]


@dataclass
class Checkpoint:
    """The state after ``epoch`` whole epochs: what is needed to continue as if nothing had
    happened.

    ``setup`` identifies the training; ``best`` are the weights of ``best_epoch``.
    """

    setup: Mapping[str, Any]
    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_score: float | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    tensors: dict[str, Weights] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Replace the checkpoint in ``folder`` by this one."""
        facts = {name: value for name, value in vars(self).items() if name != "tensors"}
        flat = {
            f"{group}/{name}": tensor.detach().contiguous().cpu()
            for group, tensors in self.tensors.items()
            for name, tensor in tensors.items()
        }
        said = {"mgc": json.dumps(facts)}
        said[OWN] = checksum(save(flat, metadata=said))
        replace_file(folder / CHECKPOINT, save(flat, metadata=said))


def load_checkpoint(
    folder: Path, setup: Mapping[str, Any], device: torch.device, progress: Progress
) -> Checkpoint:
    """The checkpoint in ``folder``, or a fresh start if there is none or (said to ``progress``) it
    is damaged. Raises MgcError if it belongs to another training."""
    path = folder / CHECKPOINT
    if not path.exists():
        return Checkpoint(setup)
    where = "cpu" if device.type == "cpu" else str(device)  # safetensors does not know "cpu:0"
    try:
        with safe_open(path, framework="pt", device=where) as file:
            said = file.metadata()
            flat = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
        own, facts = said.pop(OWN, ""), json.loads(said["mgc"])
        if own and checksum(save(flat, metadata=said)) != own:
            raise ValueError(f"it {CHANGED}")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        progress.say(f"{path} is damaged: {error}. This training starts again.")
        return Checkpoint(setup)
    then, now = facts["setup"], json.loads(json.dumps(dict(setup)))
    changed = sorted(key for key in then.keys() | now.keys() if then.get(key) != now.get(key))
    if changed:
        raise MgcError(
            f"{path} belongs to another training: it differs in {', '.join(changed)}.",
            "Resume with the original settings, or start again.",
        )
    return Checkpoint(**facts, tensors=_nested(flat, "/"))


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Weights:
    """The state of every parameter, by ``number.name``."""
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, entries in optimizer.state_dict()["state"].items()
        for name, value in entries.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Weights) -> None:
    """Restore what `optimizer_tensors` returned."""
    entries = {int(number): entry for number, entry in _nested(tensors, ".").items()}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})


def _nested(flat: Weights, separator: str) -> dict[str, Weights]:
    """Tensors by ``group`` and ``name`` from tensors by ``group<separator>name``."""
    nested: dict[str, Weights] = {}
    for key, tensor in flat.items():
        group, _, name = key.partition(separator)
        nested.setdefault(group, {})[name] = tensor
    return nested
