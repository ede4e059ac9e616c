"""A fitted head: what it predicts, and its folder on disk.

The folder holds ``head.json`` (name, parameters, shape, …), the weights (``model.safetensors``;
``estimator.skops``, or the file that an estimator head names), ``pooling.safetensors`` if sequences
are pooled, and the history. ``head.json`` is written last: if it exists, the model is complete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.numpy import save as save_arrays
from safetensors.torch import save as save_tensors

from mgc.heads.pooling import Pooling
from mgc.home import replace_file, write_json
from mgc.plugins import params as plugin_params
from mgc.plugins.contract import FeatureKind, FeatureShape
from mgc.training.batches import DeviceSource, clip_table
from mgc.training.classifier import Classifier
from mgc.training.head_spec import HeadSpec
from mgc.training.scoring import score_tracks
from mgc.training.track_data import Clips, TrackData, pooled
from mgc.training.tracking import write_history

SCHEMA = 1
FACTS = "head.json"
MODEL = "model.safetensors"
ESTIMATOR = "estimator.skops"
POOLING = "pooling.safetensors"
TRACKS_AT_A_TIME = 256  # this many tracks' features are in memory during scoring


class FittedHead(Protocol):
    """A head that has been fitted, of either kind."""

    history: list[dict[str, Any]]

    def predict(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        """Clips of each track → probabilities (track, genre) float64, rows sum to 1, and
        embeddings (track, dimension) float32; both are means over a track's clips."""
        ...

    def predict_tracks(self, data: TrackData, tracks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`predict` for tracks of a dataset, by number; features pooled for the fit are reused."""
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `restore_head` needs into ``folder``."""
        ...


@dataclass
class Facts:
    """The contents of ``head.json``.

    ``kind`` is the feature's own kind, ``shape`` the shape the head is given.
    """

    spec: HeadSpec
    kind: FeatureKind
    shape: FeatureShape
    n_genres: int
    seed: int
    window: int = 1

    def as_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        entry = self.spec.entry
        return {
            "schema": SCHEMA,
            "head": self.spec.name,
            "trained_by": self.spec.info.trained_by,
            "distribution": entry.distribution,
            "version": entry.version,
            "revision": self.spec.info.revision,
            "params": plugin_params.as_dict(self.spec.params),
            "training": asdict(self.spec.training) if self._gradient else None,
            "kind": self.kind,
            "shape": asdict(self.shape),
            "genres": self.n_genres,
            "seed": self.seed,
            "window_frames": self.window,
        }

    @property
    def _gradient(self) -> bool:
        return self.spec.info.trained_by == "gradient"


@dataclass
class FittedEstimator:
    """A scikit-learn head and the pooling that feeds it."""

    facts: Facts
    estimator: Any
    pooling: Pooling
    history: list[dict[str, Any]] = field(default_factory=list)

    def predict(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        """See `FittedHead.predict`."""
        return self._predict([pooled(self.pooling, clips) for clips in features])

    def predict_tracks(self, data: TrackData, tracks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `FittedHead.predict_tracks`."""
        return self._predict(data.vectors(self.pooling, tracks))

    def _predict(self, vectors: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate(vectors)
        owner = np.repeat(np.arange(len(vectors)), [len(v) for v in vectors])
        probabilities = _means(self.estimator.predict_proba(rows), owner)
        embeddings = _means(self.estimator.embed(rows), owner)
        return probabilities / probabilities.sum(1, keepdims=True), embeddings.astype(np.float32)

    def save(self, folder: Path) -> None:
        """See `FittedHead.save`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.estimator.save(folder / getattr(self.estimator, "file", ESTIMATOR))
        _save_pooling(self.pooling, folder)
        write_json(folder / FACTS, self.facts.as_dict())


@dataclass
class FittedModule:
    """A torch head with its normalisation, and the pooling that feeds it, if any."""

    facts: Facts
    model: Classifier
    pooling: Pooling | None
    device: torch.device
    history: list[dict[str, Any]] = field(default_factory=list)

    def predict(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        """See `FittedHead.predict`; the mean is over all windows of all clips, in float32."""
        if self.pooling is not None:
            features = [pooled(self.pooling, clips) for clips in features]
        return self._predict(features)

    def predict_tracks(self, data: TrackData, tracks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `FittedHead.predict_tracks`."""
        if self.pooling is not None:
            return self._predict(data.vectors(self.pooling, tracks))
        return self._predict([data.features[track] for track in tracks])

    def _predict(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        parts = [
            self._score(features[i : i + TRACKS_AT_A_TIME])
            for i in range(0, len(features), TRACKS_AT_A_TIME)
        ]
        probabilities, embeddings = zip(*parts, strict=True)
        return np.concatenate(probabilities), np.concatenate(embeddings)

    def _score(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        table = clip_table(self.facts.shape.kind, features, self.facts.window)
        source = DeviceSource(table, self.device)
        return score_tracks(self.model, source, self.facts.n_genres)

    def save(self, folder: Path) -> None:
        """See `FittedHead.save`."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: t.contiguous().cpu() for name, t in self.model.state_dict().items()}
        replace_file(folder / MODEL, save_tensors(weights, metadata={"mgc": str(SCHEMA)}))
        if self.pooling is not None:
            _save_pooling(self.pooling, folder)
        write_history(folder, self.history)
        write_json(folder / FACTS, self.facts.as_dict())


def _save_pooling(pooling: Pooling, folder: Path) -> None:
    arrays: Mapping[str, np.ndarray] = pooling.state()
    replace_file(folder / POOLING, save_arrays(dict(arrays), metadata={"kind": pooling.kind}))


def _means(rows: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Mean of the rows of each owner (numbered from 0 without gaps)."""
    sums = np.zeros((owner[-1] + 1, rows.shape[1]))
    np.add.at(sums, owner, rows)
    return sums / np.bincount(owner)[:, None]
