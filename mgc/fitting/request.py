"""What to fit: every extractor × head × seed asked for, checked before any audio is opened; and how
that is written into ``run.json`` and read back."""

from __future__ import annotations

import secrets
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mgc import resolve
from mgc.datasets import grouping, splits
from mgc.datasets.quarantine import usable
from mgc.datasets.table import Dataset
from mgc.errors import MgcError, UsageError
from mgc.features import file_hashes
from mgc.features.extractor_spec import ExtractorSpec
from mgc.fitting.prepared import Prepared, doubts, make_folds
from mgc.heads.pooling import EMBEDDING, REVISION
from mgc.plugins.params import as_dict
from mgc.plugins.plugin_spec import postponed
from mgc.runs import Run, identity
from mgc.runs.models import load_source
from mgc.runs.selection import repeat_command
from mgc.training.head_spec import HeadSpec, can_take, taken_kind


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
        pooled: keep pooled statistics instead of whole sequences (`mgc.fitting.pooled`).
    """

    dataset: Dataset
    source: ExtractorSpec
    head: HeadSpec
    folds: int = 0
    seed: int = 0
    device: str = "cpu"
    include_bad: bool = False
    command: Sequence[str] = ()
    tracking: Mapping[str, Any] | None = None
    pooled: bool = False

    @property
    def features(self) -> str:
        """What tells the features of requests on a dataset apart: a pooling belongs to a fold."""
        whose = self.source.store.fingerprint
        return f"{whose} {self.folds} {self.seed}" if self.pooled else whose


def requests(
    *,
    data: str | Dataset | None,
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
    pooled: bool = False,
) -> list[FitRequest]:
    """One request for each seed, extractor and head, in this order of loops; for a head that does
    not depend on the seed, one for each division into splits. A plug-in that fails by itself raises
    its MgcError when it is used.

    Raises UsageError for an invalid name, parameter, device or combination.
    """
    where = resolve.device(device)
    dataset = resolve.dataset(data)
    # A GPU makes a cnn quick; logistic takes seconds on a CPU, and is the more accurate of the two
    # on collections of a few hundred tracks.
    chosen = list(dict.fromkeys(heads)) or ["logistic" if where == "cpu" else "cnn"]
    clips = resolve.policy(clip_seconds, clips_per_track)
    sources, specs = resolve.parts(extractors, chosen, assignments, clips, where)
    asked = include_bad, tuple(command), tracking, pooled
    made = [
        FitRequest(dataset, source, spec, folds, seed, where, *asked)
        for seed in seeds
        for source in sources
        for spec in specs
    ]
    for request in made:
        with postponed():
            check_fits(request.source, request.head, pooled)
    return _distinct(made)


def _distinct(made: Sequence[FitRequest]) -> list[FitRequest]:
    """The requests without those that differ from an earlier one only in a seed that they do not
    depend on."""
    first: dict[Any, FitRequest] = {}
    for number, request in enumerate(made):
        key: Any = number
        if not request.head.info.seeded:
            key = request.source.name, request.head.name, split_of(request)
        first.setdefault(key, request)
    return list(first.values())


def split_of(request: FitRequest) -> str:
    """The name of the division into splits that a request is to be fitted on."""
    folds = make_folds(request.dataset, request.folds, request.seed)
    return splits.split_hash(request.dataset.tracks, folds)


def varies_with_seed(request: FitRequest) -> bool:
    """Whether the folds or what the head learns depend on the seed."""
    drawn = request.folds > 0 and request.folds != request.dataset.record.get("folds")
    return drawn or request.head.info.seeded


def fitted_once(made: Sequence[FitRequest], seeds: int) -> str:
    """Which heads are fitted once instead of with each of so many seeds; "" if none is."""
    counts = Counter(request.head.name for request in made if not request.head.info.seeded)
    sources = len({request.source.name for request in made})
    heads = sorted(name for name, count in counts.items() if count < seeds * sources)
    verb = "does" if len(heads) == 1 else "do"
    named = " and ".join(heads)
    return f"{named} on a fixed split {verb} not depend on the seed: fitted once" if heads else ""


def check_fits(source: ExtractorSpec, head: HeadSpec, pooled: bool = False) -> None:
    """Reject a head that cannot take the feature, as it is kept."""
    if pooled and (head.info.trained_by == "gradient" or source.kind != "sequence"):
        raise UsageError(
            "Only sequences for a head that scikit-learn fits are kept pooled, not "
            f"{source.name!r} ({source.kind}) for {head.name!r} ({head.info.trained_by}).",
            "Fit this one without --pooled.",
        )
    if not can_take(head.info, source.kind):
        raise UsageError(
            f"Head {head.name!r} takes {' or '.join(head.info.accepts)} features; "
            f"extractor {source.name!r} makes a {source.kind}.",
            "Choose another head: mgc heads list",
        )


def identify_tracks(dataset: Dataset, include_bad: bool = False) -> dict[str, str]:
    """The parts of an identity that belong to a dataset. Audio files that have changed since they
    were last read are read."""
    tracks = usable(dataset, include_bad)[0].sort_values("track_id", ignore_index=True)
    by = dataset.record.get("group_by", "none")
    return identity.identity(
        tracks=tracks["track_id"].tolist(),
        labels=tracks["genre"].tolist(),
        groups=pd.factorize(splits.groups(tracks, by))[0].tolist(),
        audio=file_hashes.hashes([dataset.root / path for path in tracks["path"]]),
    )


def identify(request: FitRequest, tracks: Mapping[str, str] | None = None) -> dict[str, str]:
    """The identity of a request, see `mgc.runs.identity`; ``tracks`` are its `identify_tracks`."""
    head = request.head
    return {
        **(tracks or identify_tracks(request.dataset, request.include_bad)),
        **_pooling(request),
        **_learning(request),
        **identity.identity(
            folds=split_of(request),
            extractor=request.source.store.fingerprint,
            head=[head.name, head.entry.distribution, head.entry.version, *head_values(head)],
            seed=request.seed if head.info.seeded else None,
        ),
    }


def _pooling(request: FitRequest) -> dict[str, str]:
    """How sequences are pooled for the head; left out if as in the runs before it was recorded."""
    source, first = request.source, ["statistics", 1]
    given = source.kind, taken_kind(request.head.info, source.kind)
    rule = ["mean" if source.info.unit == EMBEDDING else "statistics", REVISION]
    told = given == ("sequence", "vector") and rule != first
    return identity.identity(pooling=rule) if told else {}


def _learning(request: FitRequest) -> dict[str, str]:
    """What the head learns from; left out if as in the runs before it was recorded."""
    learns = request.head.learns
    return identity.identity(learning=learns) if learns != ["training"] else {}


def head_values(head: HeadSpec) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The parameters of a head, and the settings of its training if it is a gradient head."""
    gradient = head.info.trained_by == "gradient"
    return as_dict(head.params), as_dict(head.training) if gradient else None


def describe(request: FitRequest, prepared: Prepared) -> dict[str, Any]:
    """The request with all defaults filled in, and what was left out."""
    dataset, source, head = request.dataset, request.source, request.head
    folds = make_folds(dataset, request.folds, request.seed)
    by = dataset.record.get("group_by", "none")
    return {
        "kind": "single",
        "command": list(request.command),
        "dataset": {
            "name": dataset.name,
            "genres": dataset.genres,
            "importer": dataset.record.get("importer", ""),
            "tracks": len(prepared.kept),
            "folds": request.folds,
            "group_by": by,
            "group_known": grouping.known(prepared.kept, by),
            "own_folds": request.folds > 0 and request.folds == dataset.record.get("folds"),
            "doubts": doubts(dataset, prepared.thinned(folds)),
            "split": splits.split_hash(dataset.tracks, folds),
            "corrections": dataset.record.get("corrections", {}).get("digest", ""),
            "left_out": dict(dataset.record.get("left_out", {})),
            "quarantined": prepared.quarantined,
        },
        **describe_parts(source, head),
        "identity": identify(request),
        "seed": request.seed,
        "seeded": head.info.seeded,
        "device": request.device,
        "include_bad": request.include_bad,
        "pooled": request.pooled,
        "learns": request.head.learns,
        "tracking": request.tracking and {**request.tracking, "id": secrets.token_hex(4)},
        "failures": [{"path": str(f.path), "reason": f.reason} for f in prepared.failures],
    }


def describe_parts(source: ExtractorSpec, head: HeadSpec) -> dict[str, Any]:
    """The extractor and the head of a run, with all that its record says of them."""
    params, training = head_values(head)
    return {
        "extractor": {
            **source.recorded(),
            "identity": source.identity(),
            "fingerprint": source.store.fingerprint,
            "licence": source.of_weights("licence"),
            "pretrained_on": list(source.of_weights("pretrained_on")),
        },
        "head": {
            **head.recorded(),
            "training_settings": dict(head.training_settings),
            "params": params,
            "training": training,
        },
    }


def load_request(run: Run, dataset: Dataset) -> FitRequest:
    """The request that a run was started with, on the dataset as it is now.

    Raises MgcError if its identity has changed since, or cannot be checked.
    """
    record, head = run.record, run.record.head
    request = FitRequest(
        dataset,
        load_source(run, record.device),
        HeadSpec(
            head.name,
            head.settings if head.params is None else head.params,
            head.training or head.training_settings,
        ),
        record.dataset.folds,
        record.seed or 0,
        record.device,
        record.include_bad,
        record.command,
        record.tracking,
        record.pooled,
    )
    now, again = identify(request), f"Start afresh: {shlex.join(repeat_command(run))}"
    if unknown := identity.unverified(record.identity, now):
        raise MgcError(
            f"Run {run.name!r} cannot be continued: an earlier mgc began it, and its "
            f"{' and '.join(sorted(unknown))} cannot be checked.",
            again,
        )
    if changed := identity.differing(record.identity, now):
        what = {"extractor": record.extractor.name, "head": head.name}.get(changed[0])
        raise MgcError(
            f"{f'{changed[0].capitalize()} {what!r}' if what else f'Dataset {dataset.name!r}'} has "
            f"changed since run {run.name!r} began: other {' and '.join(changed)}.",
            again,
        )
    return request
