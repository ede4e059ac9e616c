"""Turns the words of a request into what they mean: dataset, sources, heads, device.

Names are looked up before anything slow is imported, so that a wrong one is refused at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from mgc.datasets import table
from mgc.errors import MgcError, UsageError, unknown
from mgc.plugins import params, registry
from mgc.plugins.plugin_spec import PluginSpec, postponed

if TYPE_CHECKING:
    from mgc.audio.clip_policy import ClipPolicy
    from mgc.features.extractor_spec import ExtractorSpec
    from mgc.training.head_spec import HeadSpec


def check_names(kind: str, names: Iterable[str]) -> None:
    """Raise MgcError if a plug-in is unknown or cannot be used; its code is not imported."""
    for name in names:
        registry.find(kind, name)


def dataset(name: str | None) -> table.Dataset:
    """The dataset asked for, or the default one."""
    return table.load(name if name is not None else table.default_name())


def dataset_name(name: str | None) -> str:
    """The name of the dataset asked for, or of the default one, without reading its table."""
    if name is None:
        return table.default_name()
    if name not in table.names():
        raise unknown("dataset", name, table.names(), "mgc data list")
    return name


def device(name: str) -> str:
    """``auto`` resolved to an available device. Raises UsageError for an unavailable one."""
    from mgc.training.devices import resolve_device

    return str(resolve_device(name))


def policy(clip_seconds: float | None, clips_per_track: int | None) -> ClipPolicy:
    """The clip policy asked for."""
    from mgc.audio.clip_policy import DEFAULT_CLIPS_PER_TRACK, DEFAULT_SECONDS, ClipPolicy

    return ClipPolicy(clip_seconds or DEFAULT_SECONDS, clips_per_track or DEFAULT_CLIPS_PER_TRACK)


def sources(
    names: Sequence[str],
    assignments: Sequence[str] | None,
    clips: ClipPolicy,
    where: str,
) -> list[ExtractorSpec]:
    """The extractors asked for, each with its own parameters.

    Every name and parameter is checked here, before any audio is opened.
    """
    return parts(names, [], assignments, clips, where)[0]


def parts(
    extractors: Sequence[str],
    heads: Sequence[str],
    assignments: Sequence[str] | None,
    clips: ClipPolicy,
    where: str,
) -> tuple[list[ExtractorSpec], list[HeadSpec]]:
    """Extractors and heads, each with its share of the ``--set`` assignments, all checked.

    A plug-in that fails by itself is returned too, and raises its MgcError when it is used.
    """
    from mgc.features.extractor_spec import ExtractorSpec
    from mgc.training.head_spec import HeadSpec, Training

    gradient = [name for name in heads if HeadSpec(name).info.trained_by == "gradient"]
    bare = {name: ExtractorSpec(name) for name in extractors}
    owners, broken = parameters_of({**bare, **{f"head {name}": HeadSpec(name) for name in heads}})
    if gradient:
        owners["training"] = [field.name for field in fields(Training)]
    try:
        given = shared_settings(extractors, assignments, owners)
    except UsageError as error:
        raise next(iter(broken), error) from error
    sources = [ExtractorSpec(name, given[name], clips, where) for name in bare]
    specs = [
        HeadSpec(name, given[f"head {name}"], given["training"] if name in gradient else {})
        for name in heads
    ]
    for spec in [*sources, *specs]:
        with postponed():
            spec.check()
    return sources, specs


def shared_settings(
    extractors: Sequence[str],
    assignments: Sequence[str] | None,
    owners: Mapping[str, Sequence[str]],
) -> dict[str, dict[str, Any]]:
    """Hand each ``--set`` to the parts that have such a parameter.

    ``owners`` are the extractors, heads (``head cnn``) and ``training``, with their parameters'
    names. A bare name goes to every extractor, or every head, or the training, whichever has it;
    ``mel.n_mels``, ``cnn.dropout`` or ``training.epochs`` says which. Raises UsageError if
    none of them has it, or if both an extractor and a head do.
    """
    given: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    for name, value in params.parse_assignments(assignments or []).items():
        prefix, dot, rest = name.partition(".")
        named = [o for o in owners if dot and prefix == o.removeprefix("head ")]
        having = named or [o for o, known in owners.items() if name in known]
        if not having:
            known = {parameter for parameters in owners.values() for parameter in parameters}
            raise unknown(
                f"parameter of {', '.join(owners)}", name, known, "mgc features show NAME"
            )
        kinds = {"extractor" if o in extractors else o.partition(" ")[0] for o in having}
        if len(kinds) > 1:
            example = having[0].removeprefix("head ")
            raise UsageError(
                f"--set {name}: {' and '.join(having)} both have it.",
                f"Say which: --set {example}.{name}={value}",
            )
        for owner in having:
            given[owner][rest if named else name] = value
    return given


def parameters_of(
    specs: Mapping[str, PluginSpec],
) -> tuple[dict[str, Sequence[str]], list[MgcError]]:
    """The names of the parameters of each, and the errors of those that have failed."""
    found: dict[str, Sequence[str]] = {}
    broken = []
    for owner, spec in specs.items():
        try:
            found[owner] = spec.parameters()
        except MgcError as error:
            found[owner] = []
            broken.append(error)
    return found, broken
