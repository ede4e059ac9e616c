"""A fitted head: what it predicts, and its folder on disk.

The folder holds ``head.json`` (name, parameters, shape, …), the weights (``model.safetensors``;
``estimator.skops``, or the file that an estimator head names), ``pooling.safetensors`` if sequences
are pooled, the history, and an estimator's answers to held-out tracks. ``head.json`` is written
last: if it exists, the model is complete. A torch head is in `mgc.training.fitted_module`, so that
estimators do without torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safe_arrays

from mgc import runs
from mgc.errors import MgcError
from mgc.heads.large_arrays import room
from mgc.heads.pooling import Pooling
from mgc.home import FILES, checksums_of, problem_of, replace_file, write_json
from mgc.plugins import params as plugin_params
from mgc.plugins import registry
from mgc.plugins.contract import FeatureKind, FeatureShape
from mgc.plugins.distributions import package_of
from mgc.training import outputs
from mgc.training.head_spec import HeadSpec
from mgc.training.track_data import Clips, TrackData, pooled

SCHEMA = 1
FACTS = "head.json"
CHECKPOINT = "checkpoint.safetensors"  # of a training that has not ended
ESTIMATOR = "estimator.skops"
POOLING = "pooling.safetensors"
MAX_SIZE = 1 << 20  # of genres, and of a window's frames, features and layers
VECTORS_AT_A_TIME = 8_192  # this many tracks' pooled features are in memory during scoring


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
        entry, info = self.spec.entry, self.spec.info
        return {
            "schema": SCHEMA,
            "head": self.spec.name,
            "trained_by": info.trained_by,
            "distribution": entry.distribution,
            "version": entry.version,
            "revision": info.revision,
            "params": plugin_params.as_dict(self.spec.params),
            "training": asdict(self.spec.training) if info.trained_by == "gradient" else None,
            "kind": self.kind,
            "shape": asdict(self.shape),
            "genres": self.n_genres,
            "seed": self.seed,
            "window_frames": self.window,
        }


@dataclass
class FittedHead(ABC):
    """A head that has been fitted, and the pooling that feeds it, if any."""

    facts: Facts
    pooling: Pooling | None
    history: list[dict[str, Any]] = field(default_factory=list, kw_only=True)

    @property
    def n_genres(self) -> int:
        """How many genres it knows."""
        return self.facts.n_genres

    def predict(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        """Clips of each track → probabilities (track, genre) float64, rows sum to 1, and
        embeddings (track, dimension) float32; both are means over a track's clips."""
        if self.pooling is not None:
            features = [pooled(self.pooling, clips) for clips in features]
        return self._predict(features)

    def predict_tracks(self, data: TrackData, tracks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`predict` for tracks of a dataset, by number; features pooled for the fit are reused."""
        return self._predict(data.inputs(tracks, self.pooling))

    def save(self, folder: Path) -> None:
        """Write everything that `restore_head` needs into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        self._save_model(folder)
        if self.pooling is not None:
            arrays = dict(self.pooling.state())
            content = safe_arrays.save(arrays, metadata={"kind": self.pooling.kind})
            replace_file(folder / POOLING, content)
        write_json(folder / FACTS, {**self.facts.as_dict(), FILES: checksums(folder)})

    @abstractmethod
    def _predict(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]: ...

    @abstractmethod
    def _save_model(self, folder: Path) -> None: ...


@dataclass
class FittedEstimator(FittedHead):
    """A scikit-learn head."""

    estimator: Any

    def _predict(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        starts, embeddings = range(0, len(features), VECTORS_AT_A_TIME), None
        probabilities = np.empty((len(features), self.facts.n_genres))
        for some in (slice(start, start + VECTORS_AT_A_TIME) for start in starts):
            probabilities[some], found = self._answer(features[some])
            if embeddings is None:
                embeddings = room(len(features), found.shape[1])
            embeddings[some] = found
        assert embeddings is not None
        return probabilities, embeddings

    def _answer(self, features: Sequence[Clips]) -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate(features)
        owner = np.repeat(np.arange(len(features)), [len(clips) for clips in features])
        spec, shape = self.facts.spec, (len(rows), self.facts.n_genres)
        with spec.blamed("predict_proba"):
            answer = self.estimator.predict_proba(rows)
        with spec.blamed("embed"):
            vectors = self.estimator.embed(rows)
        probabilities = _means(outputs.probabilities(spec, answer, shape), owner)
        embeddings = _means(outputs.embeddings(spec, vectors, len(rows)), owner)
        return probabilities / probabilities.sum(1, keepdims=True), embeddings

    def _save_model(self, folder: Path) -> None:
        self.estimator.save(folder / getattr(self.estimator, "file", ESTIMATOR))


def _means(rows: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Mean of the rows of each owner (numbered from 0 without gaps)."""
    sums = np.zeros((owner[-1] + 1, rows.shape[1]))
    np.add.at(sums, owner, rows)
    return sums / np.bincount(owner)[:, None]


def restore_head(folder: Path, device: str = "auto") -> FittedHead:
    """The head that was saved in ``folder``; only the folder is needed.

    Raises MgcError if the folder is damaged or newer than this mgc, or if the head's plug-in is not
    installed (naming the distribution that has it).
    """
    record = runs.read_record(folder.parent, folder / FACTS)
    sums = record.get(FILES, {})
    for name in sorted({*sums, *(path.name for path in folder.glob("*.safetensors"))}):
        if problem := problem_of(folder, name, sums):
            raise runs.damaged(folder.parent, f"{folder.name}/{problem}")
    facts = _facts(folder, record)
    pooling = None
    if facts.shape.kind == "vector":
        with naming(folder / POOLING):
            arrays = safe_arrays.load_file(folder / POOLING)
            if arrays["components"].shape[1:] != arrays["mean"].shape:
                raise ValueError("its arrays do not fit together")
            pooling = Pooling(facts.kind, arrays["mean"], arrays["components"])
    if facts.spec.info.trained_by == "estimator":
        with facts.spec.blamed("restore"):
            estimator = facts.spec.implementation(facts.spec.params, facts.seed)
            path = folder / getattr(estimator, "file", ESTIMATOR)
            if not path.exists() and (folder / ESTIMATOR).exists():
                path = folder / ESTIMATOR  # written before the head had its own file
            return FittedEstimator(facts, pooling, estimator.restore(path))
    from mgc.training.fitted_module import restore_module

    return restore_module(folder, facts, pooling, device)


def checksums(folder: Path) -> dict[str, str]:
    """The checksums of a fitted head's files, for ``head.json``."""
    files = [path for path in folder.glob("[!.]*") if path.is_file()]
    return checksums_of(folder, [p for p in files if p.name not in (FACTS, CHECKPOINT)])


def _facts(folder: Path, record: dict[str, Any]) -> Facts:
    if record.get("schema", 0) > SCHEMA:
        raise MgcError(
            f"{folder / FACTS} was written by a newer mgc (schema {record['schema']}).",
            "Update mgc: pip install --upgrade mgc-music",
        )
    try:
        spec = HeadSpec(record["head"], record["params"], record["training"] or {})
        others = (record[key] for key in ("genres", "seed", "window_frames"))
        facts = Facts(spec, record["kind"], FeatureShape(**record["shape"]), *others)
        _check_facts(facts)
    except (KeyError, TypeError, ValueError) as error:
        raise runs.damaged(folder.parent, f"{folder.name}/{FACTS}: {error!r}") from error
    _check_plugin(spec, record)
    return facts


def _check_facts(facts: Facts) -> None:
    """Raise ValueError for a kind that there is not, or a size that no head has."""
    for kind in (facts.kind, facts.shape.kind):
        if kind not in get_args(FeatureKind):
            raise ValueError(f"{kind!r:.40} is no kind of feature")
    for size in (facts.shape.features, facts.shape.layers, facts.n_genres, facts.window):
        if type(size) is not int or not 1 <= size <= MAX_SIZE:
            raise ValueError(f"a size is {size!r:.40}, not 1 to {MAX_SIZE}")


def _check_plugin(spec: HeadSpec, record: dict[str, Any]) -> None:
    try:
        spec.check()
    except MgcError as error:
        if spec.name in {entry.info.name for entry in registry.catalogue().entries("head")}:
            raise
        raise MgcError(
            f"The head {spec.name!r} that this model was trained with is not installed.",
            f"Install {record['distribution']} {record['version']}: "
            f"pip install {package_of(record['distribution'])}",
        ) from error
    if record.get("revision", spec.info.revision) != spec.info.revision:
        raise MgcError(
            f"This model uses revision {record['revision']} of head {spec.name!r}; the installed "
            f"{spec.entry.distribution} {spec.entry.version} has revision {spec.info.revision}.",
            f"Fit it again, or: "
            f"pip install {package_of(record['distribution'])}=={record['version']}",
        )


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file that turns out to be damaged."""
    try:
        yield
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise MgcError(f"{path} is damaged: {error}.", "Fit the head again.") from error
