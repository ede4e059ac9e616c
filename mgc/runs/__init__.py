"""The run folder: what was asked, what was trained, what it predicted, and how good that is.

``run.json`` holds the request and the figures, ``predictions.parquet`` one row per track and
fold, ``embeddings.safetensors`` the embedding of each of those rows, ``fold-N/`` the trained head.
A run needs nothing but its folder to predict, ensemble or report.

The libraries for tables and arrays are imported when needed: listing runs only reads JSON.
"""

from __future__ import annotations

import datetime
import json
import shlex
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgc import __version__
from mgc.errors import MgcError
from mgc.home import (
    FILES,
    checksums_of,
    home,
    problem_of,
    read_json,
    remove_folder,
    replace_file,
    write_json,
)
from mgc.runs.environment import versions
from mgc.runs.record import SCHEMA, RunRecord, parse
from mgc.runs.run_files import new_folder, no_run, run_files

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: ``part`` of a row in the predictions: what the head learnt from, what its training watched
#: (early stopping, calibration, ensemble weights), and what is scored.
PARTS = ("training", "validation", "test")
PREDICTIONS = "predictions.parquet"
#: The name of a probability column is this prefix and the genre's name.
PREFIX = "p:"
#: The files whose checksums ``run.json`` holds; those of ``fold-N/`` are in ``head.json``.
SCORED = (PREDICTIONS, "*.safetensors", "strategy/*/*.safetensors")


@dataclass(frozen=True)
class Run:
    """One run at home (or anywhere: it is self-contained)."""

    folder: Path
    record: RunRecord

    def __post_init__(self) -> None:
        if not isinstance(self.record, RunRecord):  # as in the file
            object.__setattr__(self, "record", parse(self.record))

    @property
    def name(self) -> str:
        """Its name in commands: the name of the folder."""
        return self.folder.name

    @property
    def kind(self) -> str:
        """``single`` (features × head) or ``ensemble`` (runs × strategy)."""
        return self.record.kind

    @property
    def finished(self) -> bool:
        """Whether it is completely trained, predicted and scored."""
        return self.record.state == "finished"

    @property
    def genres(self) -> list[str]:
        """The genre names, in the order of all probabilities."""
        return list(self.record.dataset.genres)

    @property
    def label(self) -> str:
        """Its name in tables: ``mel · cnn``, or the strategy's name."""
        if self.kind == "ensemble":
            return self.record.strategy.name
        return f"{self.record.extractor.name} · {self.record.head.name}"

    @property
    def title(self) -> str:
        """Its label, and whether it is calibrated."""
        calibrated = self.kind == "ensemble" and self.record.strategy.calibrate
        return f"{self.label}, calibrated" if calibrated else self.label

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Rows of track_id, fold, part, genre, group, artist, title, path and ``p:<genre>``."""
        from mgc.runs.prediction_table import read_predictions

        self.check(PREDICTIONS)
        try:
            return read_predictions(self.folder / PREDICTIONS, self.genres)
        except (OSError, ValueError) as error:
            raise damaged(self.folder, error) from error

    @cached_property
    def tracks(self) -> pd.DataFrame:
        """The first of the `predictions` of each track, by track id."""
        return self.predictions.drop_duplicates("track_id").set_index("track_id")

    @cached_property
    def scores(self) -> Mapping[str, Mapping[str, Any]]:
        """The `mgc.runs.metrics.summary` of each scored part, computed from the predictions."""
        from mgc.runs.metrics import scores

        found = scores(self, self.predictions)
        if "test" not in found:
            raise damaged(self.folder, f"{PREDICTIONS} has no row of the part test")
        return found

    @cached_property
    def embeddings(self) -> np.ndarray:
        """(row of `predictions`, dimension) float32; only rows of one fold share a space."""
        import numpy as np
        from safetensors.numpy import load_file

        self.check("embeddings.safetensors")
        try:
            found = load_file(self.folder / "embeddings.safetensors")["embeddings"]
        except Exception as error:
            raise damaged(self.folder, error) from error
        whole = found.ndim == 2 and found.size and len(found) == len(self.predictions)
        if not whole or not np.isfinite(found.sum(dtype=np.float64)):
            problem = "embeddings.safetensors lacks a row of numbers for each prediction"
            raise damaged(self.folder, problem)
        return found

    def check(self, name: str) -> None:
        """Raise MgcError if a file of the run has changed since it was written."""
        if problem := problem_of(self.folder, name, self.record.checksums):
            raise damaged(self.folder, problem)

    def rows(self, part: str) -> pd.DataFrame:
        """The predictions of one part, sorted by fold and track id; the index stays that of
        `predictions`, so ``run.embeddings[run.rows("test").index]`` fits."""
        rows = self.predictions
        return rows[rows["part"] == part].sort_values(["fold", "track_id"])

    def probabilities(self, rows: pd.DataFrame) -> np.ndarray:
        """(row, genre) float64 for some rows of `predictions`."""
        return rows[[PREFIX + genre for genre in self.genres]].to_numpy("float64")

    def truth(self, rows: pd.DataFrame) -> np.ndarray:
        """The true genre numbers (row,)."""
        numbers = {genre: i for i, genre in enumerate(self.genres)}
        return rows["genre"].map(numbers).to_numpy("int64")


def runs_home() -> Path:
    """The folder of all runs."""
    return home() / "runs"


def damaged(folder: Path, error: object) -> MgcError:
    """The error for the folder of a run, or of an ensemble's member, that cannot be read."""
    if folder.parent.name == "members":
        return damaged(folder.parent.parent, f"members/{folder.name}: {error}")
    again = "Remove it and fit again: mgc runs remove"
    again = "Get it again: mgc models get" if folder.parent.name == "models" else again
    return MgcError(f"Run {folder.name!r} is damaged: {error}.", f"{again} {folder.name}")


def read_record(folder: Path, path: Path) -> dict[str, Any]:
    """A JSON file of a run's folder. Raises MgcError, as `damaged`, if it cannot be read."""
    try:
        return read_json(path)
    except MgcError as error:
        raise damaged(folder, error.message.rstrip(".")) from error


def start(
    prefix: str, record: Mapping[str, Any], reserve: Callable[[Run], object] | None = None
) -> Run:
    """Make the folder ``<prefix>-<number>`` of a new run, in state ``running``; ``reserve`` is
    called with it before another process can find it."""
    with new_folder(runs_home(), prefix) as folder:
        full = {
            "schema": SCHEMA,
            "state": "running",
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds"),
            "environment": versions(),
            **record,
        }
        run = Run(folder, parse(full))
        if reserve is not None:
            reserve(run)
        write_json(folder / "run.json", full)
    return run


def finish(
    run: Run, predictions: pd.DataFrame, embeddings: np.ndarray, results: Mapping[str, Any]
) -> Run:
    """Write what the run predicted and how good that is; from then on it is ``finished``."""
    replace_file(run.folder / PREDICTIONS, predictions.to_parquet(index=False))
    rows = embeddings.astype("<f4", order="C", copy=False)
    about = {"dtype": "F32", "shape": rows.shape, "data_offsets": [0, rows.nbytes]}
    head = json.dumps({"embeddings": about}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    path = run.folder / "embeddings.safetensors"
    # Not by safetensors, which makes two copies of what may be gigabytes.
    replace_file(path, [struct.pack("<Q", len(head)), head, rows.data])
    record = {**run.record, **results, "state": "finished"}
    record[FILES] = scored_checksums(run.folder)
    write_json(run.folder / "run.json", record)
    return Run(run.folder, parse(record))


def scored_checksums(folder: Path) -> dict[str, str]:
    """The checksums of the files of a run from which its figures are computed."""
    return checksums_of(folder, [path for pattern in SCORED for path in folder.glob(pattern)])


def lock_file(folder: Path) -> Path:
    """The lock that reserves a run's folder for one training; next to the folder, because a run is
    copied without it."""
    return folder.parent / f".{folder.name}.lock"


def load(name: str) -> Run:
    """A run by name, or by the path of its folder.

    Raises UsageError if the name is unknown, MgcError if the folder is damaged or of a newer mgc.
    """
    folder = runs_home() / name
    if name not in _folders():
        folder = Path(name).expanduser()
        if not (folder / "run.json").exists():
            raise no_run(name, names())
    run_files(folder)
    record = read_record(folder, folder / "run.json")
    if isinstance(schema := record.get("schema"), int) and schema > SCHEMA:
        newer = f"a newer mgc (schema {schema}; this is {__version__})"
        raise MgcError(f"Run {folder.name!r} was made by {newer}.", "pip install -U mgc-music")
    try:
        return Run(folder.absolute(), parse(record))
    except ValueError as error:
        raise damaged(folder, error) from error


def load_finished(name: str) -> Run:
    """A run that has results. Raises MgcError if its training did not finish."""
    run = load(name)
    if run.record.state == "failed":
        raise MgcError(
            f"Run {name!r} failed: {run.record.problem.rstrip('.')}.",
            f"Fix that and fit again; remove it with: mgc runs remove {name}",
        )
    if not run.finished:
        again = f"mgc runs remove {name}; {shlex.join(run.record.command)}"
        hints = {"single": f"Continue it: mgc fit --resume {name}", "ensemble": f"Again: {again}"}
        raise MgcError(f"Run {name!r} did not finish.", hints[run.kind])
    return run


def _folders() -> list[str]:
    return [path.name for path in runs_home().glob("*/")]


def names() -> list[str]:
    """The runs in the mgc home."""
    return sorted(path.parent.name for path in runs_home().glob("*/run.json"))


def everything() -> tuple[list[Run], list[MgcError]]:
    """All runs, oldest first, and the errors of those that cannot be read."""
    found, errors = [], []
    for name in _folders():
        try:
            found.append(load(name))
        except MgcError as error:
            errors.append(error)
    return sorted(found, key=_age), errors


def _age(run: Run) -> tuple[str, int]:
    number = run.name.rpartition("-")[2]
    return run.record.created, int(number) if number.isdigit() else 0


def remove(name: str) -> None:
    """Delete a run's folder. Raises MgcError if a process is training it."""
    from mgc.runs.state import locked

    if name not in _folders():
        raise no_run(name, names())
    with locked(runs_home() / name):
        remove_folder(runs_home() / name)
    lock_file(runs_home() / name).unlink(missing_ok=True)
