"""Reads a fitted head back; only its folder is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file as load_tensors

from mgc.errors import MgcError
from mgc.heads.pooling import Pooling
from mgc.home import read_json
from mgc.plugins import registry
from mgc.plugins.contract import FeatureKind, FeatureShape
from mgc.plugins.distributions import package_of
from mgc.training.classifier import Classifier, Normalisation
from mgc.training.devices import resolve_device
from mgc.training.fitted_head import (
    ESTIMATOR,
    FACTS,
    MODEL,
    POOLING,
    SCHEMA,
    Facts,
    FittedEstimator,
    FittedHead,
    FittedModule,
)
from mgc.training.head_spec import HeadSpec
from mgc.training.tracking import read_history


def restore_head(folder: Path, device: str = "auto") -> FittedHead:
    """The head that was saved in ``folder``.

    Raises MgcError if the folder is damaged or newer than this mgc, or if the head's plug-in is not
    installed (naming the distribution that has it).
    """
    record = read_json(folder / FACTS)
    facts = _facts(folder, record)
    pooling = _pooling(folder, facts.kind) if facts.shape.kind == "vector" else None
    if record["trained_by"] == "estimator":
        assert pooling is not None
        estimator = facts.spec.implementation(facts.spec.params, facts.seed)
        path = folder / getattr(estimator, "file", ESTIMATOR)
        if not path.exists() and (folder / ESTIMATOR).exists():
            path = folder / ESTIMATOR  # written before the head had its own file
        return FittedEstimator(facts, estimator.restore(path), pooling)
    model = _model(folder, facts)
    return FittedModule(facts, model, pooling, resolve_device(device), read_history(folder))


def _facts(folder: Path, record: dict[str, Any]) -> Facts:
    if record.get("schema", 0) > SCHEMA:
        raise MgcError(
            f"{folder / FACTS} was written by a newer mgc (schema {record['schema']}).",
            "Update mgc: pip install --upgrade mgc-music",
        )
    try:
        spec = HeadSpec(record["head"], record["params"], record["training"] or {})
        shape = FeatureShape(**record["shape"])
        facts = Facts(
            spec, record["kind"], shape, record["genres"], record["seed"], record["window_frames"]
        )
    except (KeyError, TypeError) as error:
        raise MgcError(f"{folder / FACTS} is damaged: {error!r}.") from error
    _check_plugin(spec, record)
    return facts


def _check_plugin(spec: HeadSpec, record: dict[str, Any]) -> None:
    try:
        spec.check()
    except MgcError as error:
        known = {entry.info.name for entry in registry.catalogue().entries("head")}
        if spec.name in known:
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


def _pooling(folder: Path, kind: FeatureKind) -> Pooling:
    arrays = _read(load_arrays, folder / POOLING)
    try:
        return Pooling(kind, arrays["mean"], arrays["components"])
    except KeyError as error:
        raise _damaged(folder / POOLING, error) from error


def _model(folder: Path, facts: Facts) -> Classifier:
    weights = _read(load_tensors, folder / MODEL)
    with torch.random.fork_rng([]):
        head = facts.spec.implementation(facts.spec.params, facts.shape, facts.n_genres)
    try:
        parts = (weights[name] for name in ("mean", "scale", "basis"))
        model = Classifier(head, Normalisation(*parts))
        model.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise _damaged(folder / MODEL, error) from error
    return model.eval()


def _read(load: Any, path: Path) -> Any:
    try:
        return load(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> MgcError:
    return MgcError(f"{path} is damaged: {error}.", "Fit the head again.")
