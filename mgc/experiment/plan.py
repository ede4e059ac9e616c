"""The experiment file: TOML, read and checked before any work begins."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mgc.datasets.importers.naming import AS_WRITTEN, NameRules
from mgc.errors import MgcError, UsageError, unknown
from mgc.home import home
from mgc.plugins import registry

SEPARATOR = " · "


@dataclass(frozen=True)
class Published:
    """A figure published elsewhere. Accuracies are in percent, as published.

    ``row`` is the row of this experiment to compare it with (``mel · cnn``, or a strategy); without
    one it gets a line to itself.
    """

    name: str
    accuracy: float
    row: str = ""
    protocol: str = ""
    source: str = ""


@dataclass(frozen=True)
class Plan:
    """The contents of an experiment file.

    Attributes:
        name: the name its results are kept under.
        dataset: a dataset's name; ``demo`` is synthesised if it is missing.
        path: music to add under that name if the dataset is missing; relative to the file.
        names: where ``path`` has its genres and artists, and what becomes of several genres.
        extractors: each is fitted with each of ``heads``; the default head is used if none is
            named.
        folds: K for cross-validation; 0 takes the dataset's own split.
        seeds: one run each.
        strategies: ensembles of all fitted members of a seed.
        calibrated: strategies that are repeated with calibration.
        learn_from: ``validation`` or ``out-of-fold``, for strategies that learn.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        pooled: keep pooled statistics instead of whole sequences, as ``mgc fit --pooled``.
        settings: what ``--set`` would set: parameters of extractors, heads and training.
        strategy: parameters by strategy.
        published: published figures to compare with.
    """

    name: str
    dataset: str
    extractors: list[str]
    heads: list[str] = field(default_factory=list)
    strategies: list[str] = field(default_factory=list)
    calibrated: list[str] = field(default_factory=list)
    path: str = ""
    names: NameRules = AS_WRITTEN
    folds: int = 0
    seeds: list[int] = field(default_factory=lambda: [0])
    learn_from: str = "validation"
    device: str = "auto"
    clip_seconds: float | None = None
    clips_per_track: int | None = None
    pooled: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    strategy: dict[str, dict[str, Any]] = field(default_factory=dict)
    published: list[Published] = field(default_factory=list)

    @property
    def assignments(self) -> list[str]:
        """The settings as ``--set`` takes them."""
        return [f"{name}={json.dumps(value)}" for name, value in _flat(self.settings)]

    @property
    def folder(self) -> Path:
        """Where the tables are written."""
        return home() / "experiments" / self.name

    @property
    def ensembles(self) -> list[tuple[str, bool]]:
        """(strategy, whether calibrated) of each ensemble."""
        return [(s, False) for s in self.strategies] + [(s, True) for s in self.calibrated]

    def rows(self, heads: list[str]) -> list[str]:
        """The names of the rows that the table will have with these heads."""
        models = [f"{e}{SEPARATOR}{h}" for e in self.extractors for h in heads]
        return models + [f"{s}, calibrated" if c else s for s, c in self.ensembles]


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """``{"mel": {"n_mels": 96}}`` → ``[("mel.n_mels", 96)]``: TOML reads a dot as a table."""
    found = []
    for name, value in values.items():
        inner = isinstance(value, dict)
        found += _flat(value, f"{prefix}{name}.") if inner else [(f"{prefix}{name}", value)]
    return found


def read_plan(path: Path) -> Plan:
    """Read and check an experiment file.

    Raises:
        UsageError: there is no such file, or it holds something invalid; the message names the
            line, the key or the value.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist.", "Examples: examples/demo.toml") from error
    except (OSError, UnicodeDecodeError) as error:
        raise MgcError(f"{path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path} is not valid TOML: {error}.", "Fix the line named in the message."
        ) from error
    plan = _built(found, path)
    _check(plan, path)
    return plan


def _built(found: dict[str, Any], path: Path) -> Plan:
    from pydantic import TypeAdapter, ValidationError

    names = found.get("names")
    inner = names if isinstance(names, dict) else {}
    for keys, of, where in (
        (found, Plan, path.name),
        (inner, NameRules, "[names]"),
    ):
        known = [f.name for f in fields(of)]
        for key in keys:
            if key not in known:
                raise unknown(f"key of {where}", key, known, "mgc experiment --help")
    if found.get("path"):
        found["path"] = str((path.parent / Path(found["path"]).expanduser()).resolve())
    try:
        return TypeAdapter(Plan).validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{path.name}: {where}: {first['msg']}.", "See: examples/demo.toml"
        ) from error


def _check(plan: Plan, path: Path) -> None:
    """Reject what could only fail later."""
    from mgc.datasets.table import checked_name

    checked_name(plan.name)
    for what, values in (("extractors", plan.extractors), ("seeds", plan.seeds)):
        if not values:
            raise UsageError(f"{path.name}: {what} is empty.", "Name at least one.")
    for kind, names in (
        ("extractor", plan.extractors),
        ("head", plan.heads),
        ("strategy", [*plan.strategies, *plan.calibrated, *plan.strategy]),
    ):
        for name in names:
            registry.find(kind, name)
    if plan.ensembles and len(plan.extractors) * max(1, len(plan.heads)) < 2:
        raise UsageError(
            f"{path.name}: it lists strategies, but there is only one model to combine.",
            "Name two or more extractors or heads.",
        )
    if plan.learn_from not in ("validation", "out-of-fold"):
        raise unknown("kind of held-out tracks", plan.learn_from, ["validation", "out-of-fold"],
                      "mgc ensemble --help")  # fmt: skip
