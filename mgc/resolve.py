"""Turns the words of a request into what they mean: dataset, sources, heads, device.

Names are looked up before anything slow is imported, so that a wrong one is refused at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from mgc.datasets import table
from mgc.errors import UsageError, unknown
from mgc.plugins import params, registry

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
    """Extractors and heads, each with its share of the ``--set`` assignments, all checked."""
    from mgc.features.extractor_spec import ExtractorSpec
    from mgc.training.head_spec import HeadSpec, Training

    gradient = [name for name in heads if HeadSpec(name).info.trained_by == "gradient"]
    owners = {f"head {name}": parameters_of("head", name) for name in heads}
    if gradient:
        owners["training"] = [field.name for field in fields(Training)]
    given = shared_settings(extractors, assignments, owners)
    made = [ExtractorSpec(name, given[name], clips, where) for name in dict.fromkeys(extractors)]
    for source in made:
        source.params  # noqa: B018 - checks them
    return made, [
        HeadSpec(name, given[f"head {name}"], given["training"] if name in gradient else {}).check()
        for name in heads
    ]


def shared_settings(
    extractors: Sequence[str],
    assignments: Sequence[str] | None,
    others: Mapping[str, Sequence[str]],
) -> dict[str, dict[str, Any]]:
    """Hand each ``--set`` to the parts that have such a parameter.

    ``others`` names further owners (``head cnn``, ``training``) with their parameters' names. A
    bare name goes to every extractor, or every head, or the training, whichever has it;
    ``mel.n_mels``, ``cnn.dropout`` or ``training.epochs`` says which. Raises UsageError if
    none of them has it, or if both an extractor and a head do.
    """
    owners = {name: parameters_of("extractor", name) for name in extractors} | dict(others)
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


def parameters_of(kind: str, name: str) -> list[str]:
    """The names of a plug-in's parameters."""
    implementation = registry.load(registry.find(kind, name))
    return [field.name for field in fields(params.params_class(implementation))]
