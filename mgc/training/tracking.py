"""Where the figures of a training go: always to a local file, and to a tracker if one is wanted."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mgc.errors import MgcError, in_words
from mgc.home import FILES, home, problem_of, read_json, replace_file
from mgc.progress import Progress

if TYPE_CHECKING:
    import numpy as np

HISTORY = "history.jsonl"


@dataclass(frozen=True)
class Summary:
    """The result of a run: its test metrics by name, the genres' names, and for each test track
    the genre number (track,) and the probabilities (track, genre)."""

    metrics: Mapping[str, float]
    genres: Sequence[str]
    truth: np.ndarray
    probabilities: np.ndarray


class Tracker(Protocol):
    """Follows one run. An error it raises is reported once and never ends a training."""

    def start(self, config: Mapping[str, Any]) -> None:
        """The run begins; ``config`` is the full request, as nested plain values."""

    def log(self, row: Mapping[str, Any]) -> None:
        """Log some figures: ``step`` and ``batch_loss``, or those of an ``epoch``."""

    def finish(self, summary: Summary, folder: Path) -> None:
        """The run is over: its result, and the run folder."""


class Guarded:
    """Passes everything on to a tracker until it fails; reports that once and continues without
    it. With a ``part`` (one of several trainings of a run: a fold, a seed), its rows carry that
    name."""

    def __init__(self, tracker: Tracker | None, progress: Progress, part: str = "") -> None:
        self.tracker = tracker
        self.progress = progress
        self.part = {"part": part} if part else {}

    def start(self, config: Mapping[str, Any]) -> None:
        """See `Tracker.start`."""
        self._call("start", config)

    def log(self, row: Mapping[str, Any]) -> None:
        """See `Tracker.log`."""
        self._call("log", {**row, **self.part})

    def finish(self, summary: Summary, folder: Path) -> None:
        """See `Tracker.finish`."""
        self._call("finish", summary, folder)

    def _call(self, method: str, *arguments: Any) -> None:
        if self.tracker is None:
            return
        try:
            getattr(self.tracker, method)(*arguments)
        except Exception as error:  # whatever a tracker does, the training continues
            self.tracker = None
            reason = in_words(error).splitlines()[0]
            self.progress.say(f"Tracking has stopped ({reason}). The training continues.")


@dataclass(frozen=True)
class WandbSettings:
    """Where the run goes. ``offline`` writes files below ``folder`` for a later ``wandb sync``;
    ``online`` uses the login that ``wandb login`` stored, which mgc never reads, and waits
    ``patience`` seconds for the server. A run with the ``id`` of an earlier one continues it."""

    mode: Literal["offline", "online"] = "offline"
    project: str = "mgc"
    entity: str | None = None
    folder: Path | None = None
    patience: float = 30.0
    id: str | None = None


class WandbTracker:
    """Loss of each batch, figures of each epoch, confusion matrix, curves, and the run folder."""

    def __init__(self, name: str, settings: WandbSettings | None = None) -> None:
        self.name = "".join(letter for letter in name if letter.isprintable())
        self.settings = settings or WandbSettings()
        self._run: Any = None
        self.folder: Path | None = None
        self._defined: set[str] = set()

    def start(self, config: Mapping[str, Any]) -> None:
        """Start a W&B run with ``config``. Raises MgcError if W&B cannot start."""
        import wandb

        folder = self.settings.folder or home() / "tracking"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._run = wandb.init(
                name=self.name,
                project=self.settings.project,
                entity=self.settings.entity,
                mode=self.settings.mode,
                id=self.settings.id,
                resume="allow" if self.settings.id else None,
                dir=folder,
                config=dict(config),
                reinit="create_new",
                settings=wandb.Settings(  # print nothing, look at neither the code nor the machine
                    console="off",
                    silent=True,
                    disable_code=True,
                    disable_git=True,
                    x_disable_meta=True,
                    x_disable_stats=True,
                    save_code=False,
                    init_timeout=self.settings.patience,
                ),
            )
            self.folder = Path(self._run.dir).parent
        except wandb.Error as error:
            raise MgcError(
                f"Weights & Biases cannot start: {error}", "Run: wandb login, or use offline."
            ) from error

    @property
    def where(self) -> str:
        """Where an offline run's files are and how they are uploaded; "" if there are none."""
        if self.folder is None or self.settings.mode == "online":
            return ""
        parts = sorted(map(str, self.folder.parent.glob(f"offline-run-*-{self._run.id}*")))
        return (
            f"W&B's files are in {self.folder.parent}. Upload them: wandb sync {shlex.join(parts)}"
        )

    def log(self, row: Mapping[str, Any]) -> None:
        """One row of figures over its axis; those of a fold or seed are ``part/figure``."""
        prefix = f"{row['part']}/" if "part" in row else ""
        axis = "step" if "step" in row else "epoch"
        named = {prefix + key: value for key, value in row.items() if key != "part"}
        for name in named.keys() - self._defined - {prefix + axis}:
            self._run.define_metric(name, step_metric=prefix + axis)
            self._defined.add(name)
        self._run.log(named)

    def finish(self, summary: Summary, folder: Path) -> None:
        """Log final figures, plots and the run folder as an artifact; then end the run."""
        import wandb

        self._run.summary.update(dict(summary.metrics))
        names = list(summary.genres)
        truth, probabilities = summary.truth, summary.probabilities
        chosen, rows = probabilities.argmax(1), probabilities.tolist()
        plots = {
            "confusion_matrix": wandb.plot.confusion_matrix(
                y_true=truth.tolist(), preds=chosen.tolist(), class_names=names
            ),
            "roc_curve": wandb.plot.roc_curve(truth.tolist(), rows, labels=names),
            "precision_recall_curve": wandb.plot.pr_curve(truth.tolist(), rows, labels=names),
        }
        self._run.log(plots)
        artifact = wandb.Artifact(folder.name, type="run")
        for path in sorted(folder.rglob("*")):
            if path.is_file():  # one by one: add_dir prints, and copies every file
                name = path.relative_to(folder).as_posix()
                artifact.add_file(str(path), name, policy="immutable")
        self._run.log_artifact(artifact)
        self._run.finish()


def write_history(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write all epochs so far as JSON lines into ``folder``."""
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    replace_file(folder / HISTORY, text.encode())


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The epochs that `write_history` wrote; none if there is no such file.

    Raises MgcError if it has changed since the training was finished.
    """
    path, finished = folder / HISTORY, folder / "head.json"
    if not path.exists():
        return []
    checksums = read_json(finished).get(FILES, {}) if finished.exists() else {}
    if problem := problem_of(folder, HISTORY, checksums):
        raise MgcError(f"{folder} is damaged: {problem}.", "Fit the head again.")
    return [json.loads(line) for line in path.read_text().splitlines()]
