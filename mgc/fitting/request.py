"""What to fit: every extractor × head × seed asked for, checked before any audio is opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mgc import resolve
from mgc.datasets.table import Dataset
from mgc.errors import UsageError
from mgc.features.extractor_spec import ExtractorSpec
from mgc.training import HeadSpec, can_take


@dataclass(frozen=True)
class FitRequest:
    """One run to be made.

    Attributes:
        folds: K for cross-validation; 0 takes the dataset's own split.
        seed: of training and, with ``folds``, of the folds too.
        device: the device's name in torch.
        include_bad: take quarantined tracks as well.
        command: the words of the command line, for the run's record.
        tracking: settings of `mgc.training.WandbSettings`; None keeps only the local history.
    """

    dataset: Dataset
    source: ExtractorSpec
    head: HeadSpec
    folds: int = 0
    seed: int = 0
    device: str = "cpu"
    include_bad: bool = False
    command: Sequence[str] = ()
    tracking: Mapping[str, Any] | None = field(default=None)


def requests(
    *,
    data: str | None,
    extractors: Sequence[str],
    heads: Sequence[str],
    folds: int = 0,
    seeds: Iterable[int] = (0,),
    assignments: Sequence[str] = (),
    clip_seconds: float | None = None,
    clips_per_track: int | None = None,
    device: str = "auto",
    include_bad: bool = False,
    command: Sequence[str] = (),
    tracking: Mapping[str, Any] | None = None,
) -> list[FitRequest]:
    """One request for each seed, extractor and head, in this order of loops.

    Raises UsageError for an invalid name, parameter, device or combination.
    """
    where = resolve.device(device)
    dataset = resolve.dataset(data)
    chosen = list(dict.fromkeys(heads)) or [default_head(where)]
    clips = resolve.policy(clip_seconds, clips_per_track)
    sources, specs = resolve.parts(extractors, chosen, assignments, clips, where)
    for source in sources:
        for spec in specs:
            check_fits(source, spec)
    return [
        FitRequest(dataset, source, spec, folds, seed, where, include_bad, tuple(command), tracking)
        for seed in seeds
        for source in sources
        for spec in specs
    ]


def default_head(device: str) -> str:
    """``cnn`` if a GPU makes it quick; else ``logistic``, which takes seconds on a CPU and is the
    more accurate of the two on collections of a few hundred tracks."""
    return "logistic" if device == "cpu" else "cnn"


def check_fits(source: ExtractorSpec, head: HeadSpec) -> None:
    """Reject a head that cannot take the feature."""
    if not can_take(head.info, source.kind):
        raise UsageError(
            f"Head {head.name!r} takes {' or '.join(head.info.accepts)} features; "
            f"extractor {source.name!r} makes a {source.kind}.",
            "Choose another head: mgc heads list",
        )
