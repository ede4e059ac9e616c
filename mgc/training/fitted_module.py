"""A fitted head that is a torch module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import torch as safe_tensors

from mgc.heads.pooling import Pooling
from mgc.home import replace_file
from mgc.training import outputs
from mgc.training.batches import ClipTable, DeviceSource
from mgc.training.classifier import Classifier, Normalisation, score_tracks
from mgc.training.devices import resolve_device
from mgc.training.fitted_head import SCHEMA, Facts, FittedHead, naming
from mgc.training.head_sizes import bounded_by
from mgc.training.track_data import Clips
from mgc.training.tracking import read_history, write_history

MODEL = "model.safetensors"
TRACKS_AT_A_TIME = 256  # this many tracks' features are in memory during scoring


@dataclass
class FittedModule(FittedHead):
    """A torch head with its normalisation; means are over all windows of all clips, in float32."""

    model: Classifier
    device: torch.device

    def _predict(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        starts, spec = range(0, len(features), TRACKS_AT_A_TIME), self.facts.spec
        with spec.blamed("embed or classify"):
            parts = [self._score(features[i : i + TRACKS_AT_A_TIME]) for i in starts]
        probabilities, embeddings = (np.concatenate(part) for part in zip(*parts, strict=True))
        outputs.embeddings(spec, embeddings, len(features))
        shape = len(features), self.facts.n_genres
        return outputs.probabilities(spec, probabilities, shape), embeddings

    def _score(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        table = ClipTable(self.facts.shape.kind, features, self.facts.window)
        return score_tracks(self.model, DeviceSource(table, self.device), self.facts.n_genres)

    def _save_model(self, folder: Path) -> None:
        weights = {name: t.contiguous().cpu() for name, t in self.model.state_dict().items()}
        content = safe_tensors.save(weights, metadata={"mgc": str(SCHEMA)})
        replace_file(folder / MODEL, content)
        write_history(folder, self.history)


def restore_module(
    folder: Path, facts: Facts, pooling: Pooling | None, device: str
) -> FittedModule:
    """The module that was saved in ``folder``. Raises MgcError if it is damaged."""
    model, where = _model(folder / MODEL, facts), resolve_device(device)
    return FittedModule(facts, pooling, model, where, history=read_history(folder))


def _model(path: Path, facts: Facts) -> Classifier:
    with (
        naming(path),
        torch.random.fork_rng([]),
        bounded_by(path),
        facts.spec.blamed("its constructor"),
    ):
        head = facts.spec.implementation(facts.spec.params, facts.shape, facts.n_genres)
    with naming(path):
        weights = safe_tensors.load_file(path)
        model = Classifier(head, Normalisation(*(weights[n] for n in ("mean", "scale", "basis"))))
        model.load_state_dict(weights)
    return model.eval()
