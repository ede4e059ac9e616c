"""Which runs a report or a figure is about, from the names that were given."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

from mgc import resolve, runs
from mgc.ensembling import latest, title
from mgc.errors import MgcError, UsageError
from mgc.home import home
from mgc.runs import Run

RESULTS = "table.json"  # what an experiment writes, with the names of its runs


def chosen(names: Sequence[str]) -> list[Run]:
    """The finished runs of those names, each once, in the order given.

    A name is a run's, or an experiment's: the name of its results at home, or its file.

    Raises UsageError for an unknown name, MgcError for a run or experiment without results.
    """
    found: dict[Path, Run] = {}
    for name in names:
        for run in experiment_runs(name) or [runs.load_finished(name)]:
            found[run.folder] = run
    return list(found.values())


def newest(data: str | None) -> list[Run]:
    """The newest run of each kind and seed on a dataset (the default one for None), as
    `mgc compare` takes them. Raises UsageError where there is none."""
    dataset = resolve.dataset(data).name
    found = latest(runs.everything()[0], dataset)
    if not found:
        raise UsageError(f"There is no finished run on {dataset}.", "Run: mgc fit --extractor mfcc")
    return found


def experiment_runs(name: str) -> list[Run]:
    """The runs of an experiment that has results; none where no experiment is called so."""
    if name.endswith(".toml"):
        name = _named_in(Path(name))
    elif name not in experiments():
        return []
    path = home() / "experiments" / name / RESULTS
    if not path.exists():
        raise MgcError(
            f"Experiment {name!r} has no results yet.", "Run: mgc experiment run FILE.toml"
        )
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        members = [str(run) for row in rows for run in row["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MgcError(
            f"{path} cannot be read: {error}.", "Run the experiment again; done steps stay."
        ) from error
    return [runs.load_finished(member) for member in members]


def experiments() -> list[str]:
    """The experiments that have results at home."""
    return sorted(path.parent.name for path in (home() / "experiments").glob(f"*/{RESULTS}"))


def _named_in(path: Path) -> str:
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"{path} is no experiment file: {error}.", "See: mgc experiment show FILE.toml"
        ) from error


def named(found: Sequence[Run]) -> list[tuple[str, Run]]:
    """What a figure calls each run: its title, with the run's name where titles repeat."""
    titles = [title(run) for run in found]
    return [
        (name if titles.count(name) == 1 else f"{name} ({run.name})", run)
        for name, run in zip(titles, found, strict=True)
    ]
