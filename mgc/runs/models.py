"""What a run needs to predict: its extractor with its settings, and the folders of its heads."""

from __future__ import annotations

from pathlib import Path

from mgc.audio.clip_policy import ClipPolicy
from mgc.errors import MgcError
from mgc.features.extractor_spec import ExtractorSpec
from mgc.plugins import registry
from mgc.runs import Run, damaged


def load_source(run: Run, device: str = "cpu") -> ExtractorSpec:
    """The extractor that a run was made with, with its settings.

    Raises MgcError that names the distribution to install if its plug-in is missing, or if the
    weights are others than those of the run: its head would predict nonsense.
    """
    wanted = run.record.extractor
    identity = wanted.identity
    policy = ClipPolicy(identity["clip_seconds"], identity["clips_per_track"])
    source = ExtractorSpec(wanted.name, wanted.settings, policy, device)
    registry.find_recorded("extractor", vars(wanted), f"Run {run.name!r}")
    # Only the first word, the content, counts: the rest (the precision) may depend on the device.
    then, now = identity["weights"], source.identity()["weights"]
    if (now or "").split()[:1] != (then or "").split()[:1]:
        raise MgcError(
            f"Run {run.name!r} was trained with different weights of {source.name!r} "
            f"({then}; here: {now}).",
            f"Restore the weights that it was trained with (settings: {dict(source.settings)}).",
        )
    return source


def model_folders(run: Run) -> list[Path]:
    """The folders of a run's trained heads, one per fold; an ensemble has none of its own.

    Raises MgcError if one is missing.
    """
    if run.kind != "single":
        return []
    found = []
    for number in range(max(1, run.record.dataset.folds)):
        found.append(run.folder / f"fold-{number}")
        if not found[-1].is_dir():
            raise damaged(run.folder, f"{found[-1].name} is missing")
    return found
