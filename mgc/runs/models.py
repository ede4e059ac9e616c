"""What a run needs to predict: its extractor with its settings, and the folders of its heads."""

from __future__ import annotations

from pathlib import Path

from mgc.audio.clip_policy import ClipPolicy
from mgc.errors import MgcError, UsageError
from mgc.features.extractor_spec import ExtractorSpec
from mgc.plugins import registry
from mgc.plugins.distributions import package_of
from mgc.runs import Run, damaged


def load_source(run: Run, device: str = "cpu") -> ExtractorSpec:
    """The extractor that a run was made with, with all parameters as they were, so that a default
    that has changed since changes nothing.

    Raises MgcError that names the distribution to install if its plug-in is missing, or if its
    revision, sample rate, parameters or weights are others now: the head would predict nonsense.
    """
    wanted = run.record.extractor
    then = wanted.identity
    try:
        policy = ClipPolicy(then["clip_seconds"], then["clips_per_track"])
        params = then["params"]
    except KeyError as error:
        raise damaged(run.folder, f"run.json lacks extractor.identity.{error.args[0]}") from error
    source = ExtractorSpec(wanted.name, params, policy, device)
    registry.find_recorded("extractor", vars(wanted), f"Run {run.name!r}")
    for what, now in (("revision", source.info.revision), ("sample_rate", source.info.sample_rate)):
        if then.get(what, now) != now:
            raise _other(run, f"{what.replace('_', ' ')} {then[what]}", f"has {now}")
    try:
        source.params  # noqa: B018 - checks them
    except UsageError as error:
        raise _other(run, f"other parameters ({error.message.rstrip('.')})", "differs") from error
    # Only the first word, the content, counts: the rest (the precision) may depend on the device.
    old, new = then.get("weights"), source.identity()["weights"]
    if (new or "").split()[:1] != (old or "").split()[:1]:
        raise MgcError(
            f"Run {run.name!r} was trained with different weights of {source.name!r} "
            f"({old}; here: {new}).",
            f"Restore the weights that it was trained with (settings: {dict(wanted.settings)}), "
            f"or, if those here are damaged: mgc features fetch {source.name}",
        )
    return source


def _other(run: Run, then: str, now: str) -> MgcError:
    made = run.record.extractor
    entry = registry.find("extractor", made.name)
    return MgcError(
        f"Run {run.name!r} uses {then} of extractor {made.name!r}; the installed "
        f"{entry.distribution} {entry.version} {now}.",
        f"Fit it again, or: pip install {package_of(made.distribution)}=={made.version}",
    )


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
