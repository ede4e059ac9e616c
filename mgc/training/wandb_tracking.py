"""Weights & Biases as a tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mgc.errors import MgcError
from mgc.home import home
from mgc.training.tracking import Summary


@dataclass(frozen=True)
class WandbSettings:
    """Where the run goes. ``offline`` writes files below ``folder`` for a later ``wandb sync``;
    ``online`` uses the login that ``wandb login`` stored, which mgc never reads, and waits
    ``patience`` seconds for the server."""

    mode: Literal["offline", "online"] = "offline"
    project: str = "mgc"
    entity: str | None = None
    folder: Path | None = None
    patience: float = 30.0


class WandbTracker:
    """Loss of each batch, figures of each epoch, confusion matrix, curves, and the run folder."""

    def __init__(self, name: str, settings: WandbSettings | None = None) -> None:
        self.name = name
        self.settings = settings or WandbSettings()
        self._run: Any = None
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
                dir=folder,
                config=dict(config),
                reinit="create_new",
                settings=quiet(self.settings.patience),
            )
        except wandb.Error as error:
            raise MgcError(
                f"Weights & Biases cannot start: {error}", "Run: wandb login, or use offline."
            ) from error

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


def quiet(patience: float) -> Any:
    """Settings that keep W&B from printing, and from looking at the code or the machine."""
    import wandb

    return wandb.Settings(
        console="off",
        silent=True,
        disable_code=True,
        disable_git=True,
        x_disable_meta=True,
        x_disable_stats=True,
        save_code=False,
        init_timeout=patience,
    )
