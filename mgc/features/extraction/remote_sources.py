"""Extractors in other processes: as plain values, rebuilt, and each plug-in's in its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.clips import Clips
from mgc.audio.given import Audio
from mgc.audio.processes.isolated import Isolated
from mgc.errors import AudioError, MgcError
from mgc.features.extraction.one_file import Rows, Run, apply
from mgc.features.extractor_spec import ExtractorSpec
from mgc.heads.pooling import Pooling


def described(sources: Sequence[ExtractorSpec], device: str) -> list[dict[str, Any]]:
    """Sources as plain values, to rebuild them in another process."""
    return [
        {
            "name": source.name,
            "settings": dict(source.settings),
            "policy": [source.policy.seconds, source.policy.per_track],
            "device": device,
            "poolings": [[a.tolist() for a in p.state().values()] for p in source.poolings],
            "fingerprint": source.store.fingerprint,
            "is_built_in": source.is_built_in,
        }
        for source in sources
    ]


def built(records: Sequence[Mapping[str, Any]]) -> list[ExtractorSpec]:
    """The sources of `described`.

    Raises MgcError if the numbers would differ here: another version of a plug-in or decoder.
    """
    sources = []
    for record in records:
        source = _unbuilt(record)
        if source.store.fingerprint != record["fingerprint"]:
            raise MgcError(
                f"A worker would make different {source.name!r} features from those requested: "
                f"it has {source.identity()}.",
                "Install the same versions of mgc, its plug-ins and soundfile everywhere.",
            )
        sources.append(source)
    return sources


def isolating(records: Sequence[Mapping[str, Any]]) -> tuple[list[ExtractorSpec], Run]:
    """The sources of `described`, and how to run them so that no plug-in can harm another.

    The code of packages other than mgc's is imported and called in a process per extractor.
    """
    sources = [built([one])[0] if one["is_built_in"] else _unbuilt(one) for one in records]
    children = {
        id(source): Isolated(f"{__name__}:extracting", {"record": record})
        for source, record in zip(sources, records, strict=True)
        if not record["is_built_in"]
    }

    def run(source: ExtractorSpec, clips: Clips, path: Audio) -> Rows:
        if id(source) not in children:
            return apply(source, clips, path)
        try:
            made = children[id(source)]({"path": str(path), "waves": clips.samples})
        except Exception as error:  # what reached the child's end: a crash, a KeyboardInterrupt
            raise AudioError(f"{path}: extractor {source.name!r}: {error}.") from error
        if made["reason"]:
            raise AudioError(made["reason"])
        rows: Rows = made["rows"]
        return rows

    return sources, run


def extracting(record: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """Set up the process of one extractor: the function that answers the clips of a file."""
    sources: list[ExtractorSpec] = []

    def answer(request: Any) -> dict[str, Any]:
        try:
            if not sources:
                sources.extend(built([record]))
            rate = sources[0].info.sample_rate
            clips = Clips(request["waves"], rate)
            return {"reason": "", "rows": apply(sources[0], clips, request["path"])}
        except AudioError as error:
            return {"reason": error.reason}
        except MgcError as error:
            return {"reason": f"{request['path']}: {error.message}"}

    return answer


def _unbuilt(record: Mapping[str, Any]) -> ExtractorSpec:
    policy = ClipPolicy(*record["policy"])
    arrays = ([np.array(values, np.float32) for values in one] for one in record["poolings"])
    poolings = tuple(Pooling("sequence", *one) for one in arrays)
    return ExtractorSpec(record["name"], record["settings"], policy, record["device"], poolings)
