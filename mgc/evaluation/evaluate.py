"""A run on another dataset: how good it is on music from elsewhere.

Features are extracted into the store, as a fit does, so a repetition continues. The figures are
kept in the run's folder, in ``evaluations/DATASET.json``, where a report finds them.
"""

from __future__ import annotations

import datetime
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mgc.datasets import splits
from mgc.datasets.genre_map import matched, read_genre_map
from mgc.datasets.quality.checking import judge_again
from mgc.datasets.table import Dataset
from mgc.errors import MgcError
from mgc.evaluation import intervals
from mgc.evaluation.coverage import COVERAGE, set_figures
from mgc.features import file_hashes
from mgc.fitting.prepared import Prepared, prepare
from mgc.home import home, read_json, write_json
from mgc.prediction.conformal_sets import GenreSets
from mgc.prediction.predictor import Predictor
from mgc.progress import Progress, Silent
from mgc.runs import PREDICTIONS, Run, metrics
from mgc.runs.calibration_error import calibration_of
from mgc.runs.paired_test import gathered, unit_of
from mgc.runs.record import check_figures

FOLDER = "evaluations"  # in the run's
#: What a saved evaluation must have: it may be a stranger's.
SHOWN = ("accuracy", "accuracy_low", "accuracy_high", "f1", "tracks")
SETS_SHOWN = ("coverage", "share", "share_low", "share_high", "size")


@dataclass(frozen=True)
class Evaluation:
    """The figures of a run on another dataset.

    Attributes:
        run, dataset: their names.
        figures: `mgc.runs.metrics.summary` with 95 % intervals by artist, of all ``tracks``, and
            the corrected calibration error (`mgc.runs.calibration_error`).
        groups: how many groups (``unit``: artists, …) they belong to.
        genres: their genre → the run's.
        without_counterpart: their genres that the run does not have → tracks left out.
        without_tracks: the run's genres of which there is no track; it may answer them all the
            same.
        failures: files that could not be used, each with ``path`` and ``reason``.
        quarantined: fault → tracks left out because a check of the dataset has listed them.
        heard_before: how many of the tracks are among those that the run was fitted on. They are
            answered by the folds that did not learn from them, and are not in ``sets``.
        learnt: tracks left out because every model of the run learnt from them.
        not_told: how many of the run's own files are not here any more, so that they cannot be
            recognised; None if the run does not say which they were.
        sets: `mgc.evaluation.coverage.set_figures`; None if there are none, for ``no_sets``.
        created: when.
    """

    run: str
    dataset: str
    figures: Mapping[str, Any]
    groups: int
    unit: str
    genres: Mapping[str, str]
    without_counterpart: Mapping[str, int]
    without_tracks: Sequence[str]
    failures: Sequence[Mapping[str, str]]
    quarantined: Mapping[str, int]
    heard_before: int
    learnt: int
    not_told: int | None
    sets: Mapping[str, Any] | None
    no_sets: str
    created: str = field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    )

    def as_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class _Answers:
    """The tracks of a dataset that could be heard, and what each fold's models say of them."""

    tracks: pd.DataFrame
    hashes: Sequence[str]
    by_fold: np.ndarray  # (track, fold, genre)
    prepared: Sequence[Prepared]

    @property
    def failures(self) -> list[dict[str, str]]:
        """Each file that could not be used, once."""
        found = {f.path: f.reason for ready in self.prepared for f in ready.failures}
        return [{"path": str(path), "reason": reason} for path, reason in found.items()]


def evaluate(
    run: Run,
    dataset: Dataset,
    genre_map: Mapping[str, str] | str | os.PathLike[str] | None = None,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Evaluation:
    """Score a run on a dataset and keep the figures with the run, if it is at home.

    ``genre_map`` is their genre → the run's, or a file with that; see `mgc.datasets.genre_map`.

    Raises:
        UsageError: the map cannot be read, or names a genre that is not there.
        MgcError: no genre is in both, no file can be used, or the run learnt from every track.
    """
    given = genre_map if isinstance(genre_map, Mapping | None) else read_genre_map(Path(genre_map))
    genres = matched(dataset.genres, run.genres, given)
    counts = dataset.tracks["genre"].value_counts()
    judge_again(dataset, progress := progress or Silent())
    shared = dataset.tracks[dataset.tracks["genre"].isin(list(genres))].reset_index(drop=True)
    heard = _heard(Predictor(run, device), replace(dataset, tracks=shared), progress)
    models, not_told = _unlearnt(run, heard)
    kept = np.flatnonzero(models.any(1))
    if not len(kept):
        raise MgcError(
            f"{run.name} has learnt from every track of {dataset.name}.",
            f"How good it is on these: mgc runs show {run.name}",
        )
    truth = heard.tracks["genre"].map(genres).map(run.genres.index).to_numpy()[kept]
    by = dataset.record.get("group_by", "none")
    by = splits.default_grouping(heard.tracks) if by == "none" else by
    groups = splits.groups(heard.tracks, by)[kept]
    shares = np.einsum("tfg,tf->tg", heard.by_fold, models / models.sum(1, keepdims=True).clip(1))
    new = models[kept].all(1)
    sets, no_sets = _sets(run, heard.by_fold[kept][new], truth[new], groups[new])
    made = Evaluation(
        run=run.name,
        dataset=dataset.name,
        figures=_figures(truth, shares[kept], groups, run.genres),
        groups=len(np.unique(groups)),
        unit=unit_of(by),
        genres=genres,
        without_counterpart={str(g): int(n) for g, n in counts.items() if g not in genres},
        without_tracks=[genre for genre in run.genres if genre not in genres.values()],
        failures=heard.failures,
        quarantined=heard.prepared[0].quarantined,
        heard_before=int((~models.all(1)).sum()),
        learnt=len(models) - len(kept),
        not_told=not_told,
        sets=sets,
        no_sets=no_sets,
    )
    if run.folder.is_relative_to(home()):
        write_json(run.folder / FOLDER / f"{dataset.name}.json", made.as_dict())
    return made


def saved(run: Run) -> list[Evaluation]:
    """The evaluations that a run's folder holds, by dataset; one that is damaged, or of another
    version, is left out: evaluate the run again."""
    found = []
    for path in sorted((run.folder / FOLDER).glob("*.json")):
        try:
            made = Evaluation(**read_json(path))
            check_figures(made.figures, "figures", run.genres)
            numbers = [made.figures[name] for name in SHOWN]
            numbers += [made.sets[name] for name in SETS_SHOWN] if made.sets else []
            if all(isinstance(number, int | float) for number in numbers):
                found.append(made)
        except (MgcError, TypeError, KeyError, ValueError):
            continue
    return found


def _heard(predictor: Predictor, dataset: Dataset, progress: Progress) -> _Answers:
    """The answers for all tracks that every extractor of the run can hear."""
    predictor.prepare()
    ready = prepare(dataset, list(predictor.answering.values()), progress)
    prepared = [ready[fingerprint] for fingerprint in predictor.answering]
    for one in prepared:
        one.check()
    good = reduce(np.logical_and, [one.good for one in prepared])
    rows = np.flatnonzero(good)
    at = [np.cumsum(one.good) - 1 for one in prepared]
    by_fold = []
    with progress.task(f"predicting with {predictor.name}", len(rows), "tracks") as task:
        for row in rows:
            pairs = zip(prepared, at, strict=True)
            made = [one.data.features[numbers[row]] for one, numbers in pairs]
            by_fold.append(predictor.by_fold(predictor.answers(made)))
            task.advance()
    if not by_fold:
        raise MgcError(f"No track of {dataset.name} can be heard by all members of the run.")
    hashes = [prepared[0].hashes[at[0][row]] for row in rows]
    tracks = dataset.tracks[good].reset_index(drop=True)
    return _Answers(tracks, hashes, np.stack(by_fold), prepared)


def _unlearnt(run: Run, heard: _Answers) -> tuple[np.ndarray, int | None]:
    """Which folds' models did not learn from each track, bool (track, fold), by the content of its
    file; and how many of the run's own files are not here to be compared (None: not known)."""
    if not (run.folder / PREDICTIONS).exists():  # a ready-made model
        return np.ones(heard.by_fold.shape[:2], bool), None
    rows = run.predictions
    rows = rows[rows["part"] != "test"]
    paths = rows["path"].drop_duplicates()
    hashes = dict(zip(paths, file_hashes.hashes([Path(path) for path in paths]), strict=True))
    learnt = defaultdict(set)
    for path, fold in zip(rows["path"], rows["fold"], strict=True):
        learnt[hashes[path]].add(int(fold))
    folds = range(heard.by_fold.shape[1])
    known = [learnt.get(sha, ()) for sha in heard.hashes]
    unlearnt = np.array([[fold not in own for fold in folds] for own in known])
    return unlearnt, sum(not sha for sha in hashes.values())


def _figures(
    truth: np.ndarray, shares: np.ndarray, groups: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """The `metrics.summary`, with intervals that take whole groups as units."""
    answers = shares.argmax(1)
    low, high = intervals.accuracy_interval((answers == truth).astype(float), groups)
    numbers = gathered(np.unique(groups, return_inverse=True)[1])
    counts = np.zeros((numbers.max() + 1, len(names), len(names)))
    np.add.at(counts, (numbers, truth, answers), 1)
    drawn = [
        intervals.macro_f1(np.tensordot(draw, counts, 1))
        for draw in intervals.resamples(len(counts))
    ]
    f1_low, f1_high = intervals.percentile_interval(np.concatenate(drawn))
    return {
        **metrics.summary(truth, shares, names),
        **calibration_of(truth, shares, groups),
        "accuracy_low": low,
        "accuracy_high": high,
        "f1_low": f1_low,
        "f1_high": f1_high,
    }


def _sets(
    run: Run, by_fold: np.ndarray, truth: np.ndarray, groups: np.ndarray
) -> tuple[dict[str, Any] | None, str]:
    """The figures of the sets on tracks that no model learnt from, or why there are none."""
    if not len(truth):
        return None, "the run was fitted on all of these tracks"
    try:
        inside = GenreSets(run, run.name).calibration.inside(by_fold, COVERAGE)
    except MgcError as error:
        return None, error.message
    return set_figures(inside, truth, groups, run.genres, COVERAGE), ""
