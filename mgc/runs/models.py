"""What a run needs to predict: its extractor with its settings, and the folders of its heads."""

from __future__ import annotations

from pathlib import Path

from mgc.audio.clip_policy import ClipPolicy
from mgc.errors import MgcError
from mgc.features.extractor_spec import ExtractorSpec
from mgc.plugins import registry
from mgc.runs.run import Run, damaged


def load_source(run: Run, device: str = "cpu") -> ExtractorSpec:
    """The extractor that a run was made with, with its settings.

    Raises MgcError that names the distribution to install if its plug-in is missing.
    """
    wanted = run.record.extractor
    identity = wanted.identity
    policy = ClipPolicy(identity["clip_seconds"], identity["clips_per_track"])
    source = ExtractorSpec(wanted.name, wanted.settings, policy, device)
    registry.find_recorded("extractor", vars(wanted), f"Run {run.name!r}")
    _same_weights(run, source, identity["weights"])
    return source


def _same_weights(run: Run, source: ExtractorSpec, recorded: str | None) -> None:
    """Refuse weights other than those of the run; its head would predict nonsense.

    Only the first word of the identity, the content, counts; what follows (such as the precision)
    may depend on the device.
    """
    now = source.identity()["weights"]
    if (now or "").split()[:1] != (recorded or "").split()[:1]:
        raise MgcError(
            f"Run {run.name!r} was trained with different weights of {source.name!r} "
            f"({recorded}; here: {now}).",
            f"Restore the weights that it was trained with (settings: {dict(source.settings)}).",
        )


def model_folders(run: Run) -> list[Path]:
    """The folders of a run's trained heads, one per fold; an ensemble has none of its own.

    Raises MgcError if one is missing.
    """
    if run.kind != "single":
        return []
    count = max(1, run.record.dataset.folds)
    found = [run.folder / f"fold-{number}" for number in range(count)]
    for folder in found:
        if not folder.is_dir():
            raise damaged(run.folder, f"{folder.name} is missing")
    return found
