"""Features × head → run: extract what is missing, train, score the test split once, write it down."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mgc import asking, metrics, runs
from mgc.contract import HeadInfo
from mgc.datasets import splits
from mgc.datasets.table import Dataset
from mgc.errors import MgcError, UsageError
from mgc.extraction import Extraction, extract
from mgc.params import as_dict
from mgc.progress import Progress, Silent
from mgc.runs import PREFIX, Run
from mgc.sources import Source
from mgc.training import FittedHead, HeadSpec, TrackData, can_take, fit_head, restore_head
from mgc.windows import ClipPolicy


@dataclass(frozen=True)
class FitRequest:
    """What to fit. ``folds`` 0 takes the dataset's own split."""

    dataset: Dataset
    source: Source
    head: HeadSpec
    folds: int = 0
    seed: int = 0
    device: str = "cpu"
    command: Sequence[str] = ()
    tracking: Mapping[str, Any] = field(default_factory=dict)


class StoredFeatures(Sequence[list[np.ndarray]]):
    """The clips of each track, read from the store when asked for (mapped, not copied)."""

    def __init__(self, source: Source, hashes: Sequence[str]) -> None:
        self.source = source
        self.hashes = hashes

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, track: Any) -> Any:
        return self.source.store.read(self.hashes[track])


def requests(
    *,
    data: str | None,
    extractors: Sequence[str],
    heads: Sequence[str],
    folds: int,
    seeds: Iterable[int],
    assignments: Sequence[str],
    clip_seconds: float | None,
    clips_per_track: int | None,
    device: str,
    command: Sequence[str],
) -> list[FitRequest]:
    """Every extractor × head × seed that was asked for, checked before any audio is opened."""
    where = asking.device(device)
    dataset = asking.dataset(data)
    chosen = list(dict.fromkeys(heads)) or [default_head(where)]
    sources, specs = asking.parts(
        extractors, chosen, assignments, asking.policy(clip_seconds, clips_per_track), where
    )
    for source in sources:
        for spec in specs:
            check_fits(source, spec)
    return [
        FitRequest(dataset, source, spec, folds, seed, where, command)
        for seed in seeds
        for source in sources
        for spec in specs
    ]


def default_head(device: str) -> str:
    """``cnn`` where a GPU makes it quick; else ``logistic``, which takes seconds on a CPU and is
    the more accurate of the two on collections of a few hundred tracks."""
    return "logistic" if device == "cpu" else "cnn"


def extracted(wanted: Sequence[FitRequest], progress: Progress) -> Sequence[FitRequest]:
    """Extract for all requests on a dataset at once, so that each file is decoded once."""
    sources = {request.source.store.fingerprint: request.source for request in wanted}
    extract(wanted[0].dataset.paths(), list(sources.values()), progress)
    return wanted


def check_fits(source: Source, head: HeadSpec) -> None:
    """Refuse a head that cannot take the feature, before any audio is opened."""
    info = head.info
    assert isinstance(info, HeadInfo)
    if not can_take(info, source.kind):
        raise UsageError(
            f"Head {head.name!r} takes {' or '.join(info.accepts)} features; "
            f"extractor {source.name!r} makes a {source.kind}.",
            "Choose another head: mgc heads list",
        )


def fit(request: FitRequest, progress: Progress | None = None) -> Run:
    """Fit one extractor × head on a dataset and return the finished run.

    Raises MgcError where nothing can be fitted; files that cannot be used are left out of every
    split, and counted in the run.
    """
    progress = progress or Silent()
    check_fits(request.source, request.head)
    dataset = request.dataset
    folds = make_folds(dataset, request.folds, request.seed)
    made = extract(dataset.paths(), [request.source], progress)
    kept, folds = without_failures(dataset, folds, made)
    data = track_data(request.source, dataset, kept, made)
    run = runs.start(_prefix(request), describe(request, folds, kept, made))
    return train(run, request, data, folds, kept, progress)


def make_folds(dataset: Dataset, count: int, seed: int) -> list[splits.Fold]:
    """The folds of a request: K of them, or the dataset's own split as the only one."""
    by = dataset.record.get("group_by", "none")
    if count:
        return splits.k_folds(dataset.tracks, count, by, seed)
    return [splits.official_fold(dataset.tracks, by, seed)]


def without_failures(
    dataset: Dataset, folds: Sequence[splits.Fold], made: Extraction
) -> tuple[pd.DataFrame, list[splits.Fold]]:
    """The tracks whose audio could be used, and the folds in their row numbers."""
    bad = {failure.path for failure in made.failures}
    good = np.array([path not in bad for path in dataset.paths()])
    if not good.any():
        first = made.failures[0].reason
        raise MgcError(f"None of the {len(good)} files could be used; the first: {first}")
    number = np.cumsum(good) - 1

    def renumbered(rows: np.ndarray) -> np.ndarray:
        return number[rows[good[rows]]]

    kept = dataset.tracks[good].reset_index(drop=True)
    moved = [
        splits.Fold(f.number, *(renumbered(part) for part in (f.training, f.validation, f.test)))
        for f in folds
    ]
    for fold in moved:
        for part in runs.PARTS:
            if not len(getattr(fold, part)):
                raise MgcError(f"No usable track is left in the {part} part of fold {fold.number}.")
    return kept, moved


def track_data(
    source: Source, dataset: Dataset, kept: pd.DataFrame, made: Extraction
) -> TrackData:
    """What a head may see: features, genre numbers and groups of the kept tracks."""
    hashes = [made.hashes[dataset.root / path] for path in kept["path"]]
    genres = pd.Categorical(kept["genre"], categories=dataset.genres).codes.astype(np.int64)
    by = dataset.record.get("group_by", "none")
    return TrackData(
        kind=source.kind,
        features=StoredFeatures(source, hashes),
        genres=genres,
        groups=splits.groups(kept, by),
        n_genres=len(dataset.genres),
    )


def train(
    run: Run,
    request: FitRequest,
    data: TrackData,
    folds: Sequence[splits.Fold],
    kept: pd.DataFrame,
    progress: Progress,
    resume: bool = False,
) -> Run:
    """Train every fold, predict all its parts, score the test rows once."""
    begun = time.perf_counter()
    tables, embeddings = [], []
    for fold in folds:
        if len(folds) > 1:
            progress.say(f"fold {fold.number + 1} of {len(folds)}")
        fitted = fit_head(
            request.head,
            data,
            fold.training,
            fold.validation,
            seed=request.seed + fold.number,
            device=request.device,
            folder=run.folder / f"fold-{fold.number}",
            progress=progress,
            resume=resume,
        )
        fitted.save(run.folder / f"fold-{fold.number}")
        table, embedding = predict_parts(fitted, data, fold, kept, request.dataset)
        tables.append(table)
        embeddings.append(embedding)
    predictions = pd.concat(tables, ignore_index=True)
    results = {
        "metrics": score(Run(run.folder, run.record), predictions),
        "seconds": round(time.perf_counter() - begun, 1),
    }
    return runs.finish(run, predictions, np.concatenate(embeddings), results)


def predict_parts(
    fitted: FittedHead,
    data: TrackData,
    fold: splits.Fold,
    kept: pd.DataFrame,
    dataset: Dataset,
) -> tuple[pd.DataFrame, np.ndarray]:
    """The predictions table and the embeddings of one fold, training rows included."""
    tables, embeddings = [], []
    for part in runs.PARTS:
        rows = getattr(fold, part)
        probabilities, embedding = fitted.predict([data.features[int(row)] for row in rows])
        tracks = kept.iloc[rows]
        table = tracks[["track_id", "genre", "artist", "title"]].reset_index(drop=True)
        table["path"] = [str(dataset.root / path) for path in tracks["path"]]
        table["group"] = data.groups[rows]
        table["fold"], table["part"] = fold.number, part
        columns = [PREFIX + genre for genre in dataset.genres]
        tables.append(pd.concat([table, pd.DataFrame(probabilities, columns=columns)], axis=1))
        embeddings.append(embedding)
    return pd.concat(tables, ignore_index=True), np.concatenate(embeddings)


def score(run: Run, predictions: pd.DataFrame) -> dict[str, Any]:
    """Figures of the validation and the test rows, pooled over folds."""
    figures = {}
    for part in ("validation", "test"):
        rows = predictions[predictions["part"] == part]
        figures[part] = metrics.summary(run.truth(rows), run.probabilities(rows), run.genres)
    return figures


def _prefix(request: FitRequest) -> str:
    return f"{request.dataset.name}-{request.source.name}-{request.head.name}"


def describe(
    request: FitRequest, folds: Sequence[splits.Fold], kept: pd.DataFrame, made: Extraction
) -> dict[str, Any]:
    """What goes into run.json before training: the request, resolved to the last default."""
    dataset, source = request.dataset, request.source
    all_folds = make_folds(dataset, request.folds, request.seed)
    return {
        "kind": "single",
        "command": list(request.command),
        "dataset": {
            "name": dataset.name,
            "genres": dataset.genres,
            "tracks": len(kept),
            "folds": request.folds,
            "group_by": dataset.record.get("group_by", "none"),
            "split": splits.split_hash(dataset.tracks, all_folds),
            "left_out": dict(dataset.record.get("left_out", {})),
        },
        "extractor": {
            "name": source.name,
            "distribution": source.entry.distribution,
            "version": source.entry.version,
            "settings": dict(source.settings),
            "identity": source.identity(),
            "fingerprint": source.store.fingerprint,
        },
        "head": _head_record(request.head),
        "seed": request.seed,
        "device": request.device,
        "failures": [{"path": str(f.path), "reason": f.reason} for f in made.failures],
    }


def _head_record(head: HeadSpec) -> dict[str, Any]:
    gradient = head.info.trained_by == "gradient"
    return {
        "name": head.name,
        "distribution": head.entry.distribution,
        "version": head.entry.version,
        "settings": dict(head.settings),
        "training_settings": dict(head.training_settings),
        "params": as_dict(head.params),
        "training": as_dict(head.training) if gradient else None,
    }


def resume(name: str, progress: Progress) -> Run:
    """Go on with a run that was interrupted; a finished one is returned as it is.

    Folds that were done stay; the one under way goes on from its last epoch's checkpoint.
    """
    run = runs.load(name)
    if run.kind != "single":
        raise UsageError(f"Run {name!r} is an ensemble.", "Make it again: mgc ensemble …")
    if run.finished:
        return run
    record = run.record
    dataset = asking.dataset(record["dataset"]["name"])
    source = load_source(run, record["device"])
    asked = record["head"]
    head = HeadSpec(asked["name"], asked["settings"], asked["training_settings"])
    request = FitRequest(
        dataset, source, head, record["dataset"]["folds"], record["seed"], record["device"],
        record["command"],
    )
    folds = make_folds(dataset, request.folds, request.seed)
    if splits.split_hash(dataset.tracks, folds) != record["dataset"]["split"]:
        raise MgcError(
            f"Dataset {dataset.name!r} has changed since run {name!r} began.",
            "Fit anew: its folds are not the same any more.",
        )
    made = extract(dataset.paths(), [source], progress)
    kept, folds = without_failures(dataset, folds, made)
    data = track_data(source, dataset, kept, made)
    return train(run, request, data, folds, kept, progress, resume=True)


def load_source(run: Run, device: str = "cpu") -> Source:
    """The extractor that a run was made with, as it was set then.

    Raises MgcError that names the distribution to install where its plug-in is gone.
    """
    wanted = run.record["extractor"]
    identity = wanted["identity"]
    policy = ClipPolicy(identity["clip_seconds"], identity["clips_per_track"])
    source = Source(wanted["name"], wanted["settings"], policy, device)
    try:
        source.entry  # noqa: B018 - looks it up
    except MgcError as error:
        raise MgcError(
            f"Run {run.name!r} needs extractor {wanted['name']!r} of the package "
            f"{wanted['distribution']} {wanted['version']}: {error.message}",
            f"Install it: pip install {wanted['distribution']}",
        ) from error
    return source


def model_folders(run: Run) -> list[Path]:
    """The folders of a run's trained heads, one a fold."""
    return sorted(run.folder.glob("fold-*"), key=lambda path: int(path.name.partition("-")[2]))
