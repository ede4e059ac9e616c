"""Ready-made models: runs that packages declare (`mgc.plugins.contract.ModelInfo`) and write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mgc import runs
from mgc.errors import MgcError
from mgc.home import SPACE, model_folder, temporary_folder, write_json
from mgc.plugins import registry
from mgc.plugins.contract import ModelInfo
from mgc.plugins.plugin_spec import PluginSpec
from mgc.plugins.validation import NAME
from mgc.runs import Run
from mgc.runs.environment import versions
from mgc.runs.record import SCHEMA
from mgc.runs.reference import ANY_MUSIC, REFERENCE


class ModelSpec(PluginSpec):
    """A ready-made model by name."""

    kind_of_plugin: ClassVar[str] = "model"


def declared() -> list[ModelInfo]:
    """The models of the installed packages that can be used, by name."""
    entries = registry.catalogue().entries("model")
    return [e.info for e in entries if e.status == "ready" and isinstance(e.info, ModelInfo)]


def find(name: str) -> Run | None:
    """The ready-made model of that name; None if there is none, or if a run has the name.

    Raises MgcError if it is declared but not on this machine.
    """
    if name in runs.names() or not NAME.fullmatch(name):
        return None
    if model_folder(name).is_dir():
        return runs.load_finished(str(model_folder(name)))
    if name in {info.name for info in declared()}:
        raise MgcError(f"The model {name!r} is not on this machine.", f"Run: mgc models get {name}")
    return None


def here() -> list[Run]:
    """The models that are on this machine, by name; a run of the same name stands before one."""
    found = (find(info.name) for info in declared() if model_folder(info.name).is_dir())
    return [run for run in found if run]


def first() -> Run | None:
    """The first model, by name, that is on this machine."""
    return next(iter(here()), None)


def get(name: str, source: Path | None = None) -> Run:
    """Make a model ready, replacing what is there: all of it, or nothing.

    ``source`` is a file of the user's in place of a download. Raises MgcError if it cannot be had,
    or if what the package writes is not the run that it declares.
    """
    spec = ModelSpec(name)
    load, target = spec.info.load, model_folder(name)  # an unknown name, or a path, ends here
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(target.parent) as temporary:
            made = temporary / name
            made.mkdir()
            with spec.blamed(load):
                spec.implementation(made, source)
            _check(spec, made)
            if target.exists():
                shutil.move(target, temporary / "old")
            os.replace(made, target)
    except OSError as error:
        raise MgcError(f"Cannot write {target}: {error.strerror or error}.", SPACE) from error
    return runs.load_finished(str(target))


def _check(spec: ModelSpec, folder: Path) -> None:
    """Raise MgcError unless the folder holds a run that can predict the declared genres."""
    from mgc.prediction.predictor import Predictor

    run = runs.load_finished(str(folder))
    if tuple(run.genres) != spec.info.genres:
        raise spec.failure(f"writes a run of other genres: {', '.join(run.genres)}.")
    Predictor(run).prepare()


def write_run(
    folder: Path,
    extractor: str,
    head: str,
    fitted: Any,
    *,
    features: int,
    genres: Sequence[str],
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write a finished run of an estimator head that was not fitted here; for `ModelInfo.load`.

    Whether a sound is unknown is judged against music in general.

    Args:
        folder: an empty folder.
        extractor: its name, and its ``settings``; its kind must be ``vector``.
        head: the name of an estimator head, and ``fitted``, an object of its class as `fit` leaves
            it.
        features: the length of the vectors.
        genres: in the order of the head's probabilities.
    """
    from mgc.features.extractor_spec import ExtractorSpec
    from mgc.fitting.request import describe_parts
    from mgc.heads.pooling import fit_pooling
    from mgc.plugins.contract import FeatureShape
    from mgc.training.fitted_head import Facts, FittedEstimator
    from mgc.training.head_spec import HeadSpec

    source, spec = ExtractorSpec(extractor, settings or {}), HeadSpec(head)
    facts = Facts(spec, "vector", FeatureShape("vector", features), len(genres), seed=0)
    FittedEstimator(facts, fit_pooling("vector", ()), fitted).save(folder / "fold-0")
    record = {
        "schema": SCHEMA,
        "kind": "single",
        "state": "finished",
        "environment": versions(),
        "dataset": {"name": folder.name, "genres": list(genres)},
        **describe_parts(source, spec),
    }
    shutil.copyfile(ANY_MUSIC, folder / REFERENCE)
    write_json(folder / "run.json", record)
