"""Turns the words of a request into what they mean: dataset, sources, heads, device.

Names are looked up before anything slow is imported, so that a wrong one is refused at once.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mgc.datasets import table
from mgc.errors import MgcError, UsageError, unknown
from mgc.plugins import params, params_source, registry
from mgc.plugins.plugin_spec import any_spec, postponed

if TYPE_CHECKING:
    from mgc.audio.clip_policy import ClipPolicy
    from mgc.features.extractor_spec import ExtractorSpec
    from mgc.training.head_spec import HeadSpec

#: AMD's; any under WSL; NVIDIA's on NixOS, where the loader may not find it.
GPU_DRIVERS = ("/dev/kfd", "/dev/dxg", "/run/opengl-driver/lib/libcuda.so.1")


def check_names(kind: str, names: Iterable[str]) -> None:
    """Raise MgcError if a plug-in is unknown or cannot be used; its code is not imported."""
    for name in names:
        registry.find(kind, name)


def dataset(name: str | table.Dataset | None) -> table.Dataset:
    """The dataset asked for, or the default one; one that was read already is not read again."""
    if isinstance(name, table.Dataset):
        return name
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
    if name == "cpu" or (name == "auto" and not _may_have_gpu()):
        return "cpu"
    from mgc.training.devices import resolve_device

    return str(resolve_device(name))


def _may_have_gpu() -> bool:
    """Whether torch may find a GPU. It takes a second to import, only to be asked for nothing."""
    if sys.platform != "linux" or any(map(os.path.exists, GPU_DRIVERS)):
        return True
    try:
        ctypes.CDLL("libcuda.so.1")  # NVIDIA's, which torch loads too
    except OSError:
        return False
    return True


def policy(clip_seconds: float | None, clips_per_track: int | None) -> ClipPolicy:
    """The clip policy asked for."""
    from mgc.audio.clip_policy import DEFAULT_CLIPS_PER_TRACK, DEFAULT_SECONDS, ClipPolicy

    return ClipPolicy(clip_seconds or DEFAULT_SECONDS, clips_per_track or DEFAULT_CLIPS_PER_TRACK)


def assignments(settings: Mapping[str, Any]) -> list[str]:
    """Settings as the command line writes them."""
    return [f"{name}={json.dumps(value)}" for name, value in settings.items()]


def sources(
    names: Sequence[str], assignments: Sequence[str] | None, clips: ClipPolicy, where: str
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
    owners, broken = _owners(extractors, heads)
    try:
        given = shared_settings(extractors, assignments, owners)
    except UsageError as error:
        raise next(iter(broken), error) from error
    from mgc.features.extractor_spec import ExtractorSpec
    from mgc.training.head_spec import HeadSpec

    sources = [ExtractorSpec(name, given[name], clips, where) for name in dict.fromkeys(extractors)]
    specs = [
        HeadSpec(name, given[f"head {name}"], given["training"] if _is_gradient(name) else {})
        for name in heads
    ]
    for spec in [*sources, *specs]:
        with postponed():
            spec.check()
    return sources, specs


def _owners(
    extractors: Sequence[str], heads: Sequence[str]
) -> tuple[dict[str, params_source.Declared], list[MgcError]]:
    """`parameters_of` extractors, heads (``head cnn``) and, if a head has one, of ``training``."""
    from mgc.training.head_spec import Training

    wanted = {name: ("extractor", name) for name in extractors}
    owners, broken = parameters_of(wanted | {f"head {name}": ("head", name) for name in heads})
    if any(map(_is_gradient, heads)):
        owners["training"] = params_source.fields_of(Training)
    return owners, broken


def _is_gradient(head: str) -> bool:
    from mgc.training.head_spec import HeadSpec

    return HeadSpec(head).info.trained_by == "gradient"


def check_settings(
    extractors: Sequence[str], heads: Sequence[str], assignments: Sequence[str] | None
) -> None:
    """Raise UsageError for a parameter that none of these has, or a value that it cannot have; no
    code of theirs is imported."""
    owners, broken = _owners(extractors, heads)
    if not broken:  # else it may be a parameter of theirs
        from mgc.training.head_spec import Training

        given = shared_settings(extractors, assignments, owners)
        params.build(Training, given.get("training", {}), "training")
        for name in extractors:
            if cls := params_source.quick_class(registry.find("extractor", name).info.load):
                params.build(cls, given[name], f"extractor {name}")


def shared_settings(
    extractors: Sequence[str],
    assignments: Sequence[str] | None,
    owners: Mapping[str, params_source.Declared],
) -> dict[str, dict[str, Any]]:
    """Hand each ``--set`` to the parts that have such a parameter.

    ``owners`` are the extractors, heads (``head cnn``) and ``training``, with their parameters.
    A bare name goes to every extractor, or every head, or the training, whichever has it;
    ``mel.n_mels``, ``cnn.dropout`` or ``training.epochs`` says which. Raises UsageError if
    none of them has it, if both an extractor and a head do, or if its type excludes the value.
    """
    given: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    for name, value in params.parse_assignments(assignments or []).items():
        having, own = _having(name, owners)
        kinds = {"extractor" if o in extractors else o.partition(" ")[0] for o in having}
        if len(kinds) > 1:
            example = having[0].removeprefix("head ")
            raise UsageError(
                f"--set {name}: {', '.join(having)} have it.",
                f"Say which: --set {example}.{name}={value}",
            )
        for owner in having:
            params_source.check(owner, owners[owner], own, value)
            given[owner][own] = value
    return given


def _having(name: str, owners: Mapping[str, params_source.Declared]) -> tuple[list[str], str]:
    """The owners of a parameter, and its name without the prefix that names them."""
    prefix, dot, rest = name.partition(".")
    named = [o for o in owners if dot and prefix == o.removeprefix("head ")]
    own, asked = (rest, named) if named else (name, [*owners])
    if having := [owner for owner in asked if own in owners[owner]]:
        return having, own
    known = {parameter for owner in asked for parameter in owners[owner]}
    what = "heads" if asked[0].startswith("head ") else "features"
    raise unknown(f"parameter of {', '.join(asked)}", own, known, f"mgc {what} show NAME")


def parameters_of(
    wanted: Mapping[str, tuple[str, str]],
) -> tuple[dict[str, params_source.Declared], list[MgcError]]:
    """The parameters of each (kind, name), and the errors of those that have failed.

    A plug-in's code is imported only if its source does not tell them.
    """
    found: dict[str, params_source.Declared] = {}
    broken = []
    for owner, (kind, name) in wanted.items():
        entry = registry.find(kind, name)
        try:
            found[owner] = params_source.declared(entry.info.load)
        except LookupError:
            try:
                found[owner] = dict.fromkeys(any_spec(kind, name).parameters())
            except MgcError as error:
                found[owner] = {}
                broken.append(error)
    return found, broken
