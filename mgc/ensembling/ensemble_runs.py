"""Runs × strategy → run: align the members, learn from held-out tracks, combine, score."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mgc import runs
from mgc.ensembling.alignment import Aligned, align
from mgc.ensembling.combination import Combination, EnsembleRequest, strategy_folder
from mgc.ensembling.learner import Learner
from mgc.plugins import params
from mgc.runs import PREFIX, Run, identity, metrics
from mgc.runs.calibration_error import calibration_of
from mgc.runs.run_files import run_files
from mgc.strategies.calibration import tempered

#: What an ensemble keeps of each member: everything that prediction and reports need.
KEPT = ("run.json", "predictions.parquet", "reference.safetensors", "fold-*/*")
SHOWN = 200  # numbers; what a strategy learnt is also written to run.json if it is this small

Learnt = Mapping[int, Combination]  # by fold


def ensemble(request: EnsembleRequest, members: Sequence[Run]) -> Run:
    """Combine finished runs into a new run, with copies of the members' models in its folder.

    Raises:
        UsageError: fewer than two members, an ensemble among them, one named twice, or members
            that cannot be put side by side.
        MgcError: a member's predictions are damaged, or the strategy fails.
    """
    request.spec.make()
    aligned = align(members, request.smallest_share)
    learnt, answers = _combined(request, aligned)
    results: dict[str, Any] = {}
    if request.calibrate:
        plain = _combined(replace(request, calibrate=False), aligned)[1]
        results["calibration"] = _calibration(aligned, learnt, plain, answers)
    record = _record(request, aligned, learnt)
    run = runs.start(f"{record['dataset']['name']}-{request.spec.name}", record)
    for member in aligned.members:
        _keep(member.folder, run.folder / "members" / member.name)
    for fold, made in learnt.items():
        made.save(strategy_folder(run, fold))
    columns = [PREFIX + genre for genre in run.genres]
    predictions = pd.concat([aligned.table, pd.DataFrame(answers, columns=columns)], axis=1)
    scored = metrics.scores(run, predictions)
    # An ensemble's embedding of a track: its members' probabilities, (row, member × genre).
    embeddings = np.concatenate(list(aligned.probabilities), axis=1).astype(np.float32)
    return runs.finish(run, predictions, embeddings, {"metrics": scored, **results})


def _seed(members: Sequence[Run]) -> int | None:
    """The members' seed; None if they differ. Those that do not depend on it have any."""
    seeded = [run for run in members if run.record.seeded]
    seeds = {run.record.seed for run in seeded or members}
    return seeds.pop() if len(seeds) == 1 else None


def _combined(request: EnsembleRequest, aligned: Aligned) -> tuple[Learnt, np.ndarray]:
    """What was learnt for each fold, and the answers (row, genre)."""
    learner = Learner(request, aligned, _seed(aligned.members) or 0)
    learnt = {fold: learner.learn(fold) for fold in aligned.folds}
    answers = np.empty(aligned.probabilities.shape[1:])
    for fold, made in learnt.items():
        rows = aligned.rows(fold, *runs.PARTS)
        answers[rows] = learner.answers(made, rows)
    return learnt, answers


def _calibration(
    aligned: Aligned, learnt: Learnt, plain: np.ndarray, answers: np.ndarray
) -> dict[str, Any]:
    """Temperatures, and NLL and ECE on the test rows without and with them; of the members only if
    their probabilities are what is combined."""
    rows = {fold: aligned.rows(fold, "test") for fold in learnt}
    test = np.concatenate(list(rows.values()))
    genres, groups = aligned.genres[test], aligned.groups[test]
    members = {}
    tempered_members = next(iter(learnt.values())).spec.info.combines == "probabilities"
    for number, run in enumerate(aligned.members if tempered_members else ()):
        before = aligned.probabilities[number]
        parts = [tempered(before[at], learnt[f].temperatures[number]) for f, at in rows.items()]
        members[run.name] = {
            "temperatures": [float(learnt[fold].temperatures[number]) for fold in learnt],
            "before": _trust(genres, before[test], groups),
            "after": _trust(genres, np.concatenate(parts), groups),
        }
    return {
        "part": "test",
        "members": members,
        "temperatures": [made.pooled for made in learnt.values()],
        "before": _trust(genres, plain[test], groups),
        "after": _trust(genres, answers[test], groups),
    }


def _trust(genres: np.ndarray, probabilities: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    return {
        "nll": metrics.negative_log_likelihood(genres, probabilities),
        "ece": metrics.expected_calibration_error(genres, probabilities),
        **calibration_of(genres, probabilities, groups),
    }


def _record(request: EnsembleRequest, aligned: Aligned, learnt: Learnt) -> dict[str, Any]:
    spec, members = request.spec, aligned.members
    failures = {f["path"]: f for run in members for f in run.record.failures}
    return {
        "kind": "ensemble",
        "command": list(request.command),
        "dataset": {**members[0].record["dataset"], "tracks": aligned.tracks},
        "strategy": {
            **spec.recorded(),
            "params": params.as_dict(spec.params),
            "calibrate": request.calibrate,
            "learn_from": request.learn_from,
            "learnt": {str(fold): _shown(made) for fold, made in learnt.items()},
        },
        "members": [run.name for run in members],
        "member_labels": [run.label for run in members],
        "overlap": {"tracks": aligned.tracks, "of": aligned.of},
        "seed": _seed(members),
        "identity": identity.of_members(members),
        "failures": list(failures.values()),
    }


def _shown(made: Combination) -> dict[str, Any]:
    """What was learnt, if it is only a few numbers: weights for people to read."""
    return {name: np.asarray(a).tolist() for name, a in made.learnt.items() if np.size(a) <= SHOWN}


def _keep(source: Path, target: Path) -> None:
    """Link a member's files below an ensemble; copy those of a run outside the home, whose owner
    may write into them, and those on another file system."""
    for path in run_files(source):
        name = path.relative_to(source)
        if any(name.match(pattern) for pattern in KEPT):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            _copy(path, target / name, source.parent == runs.runs_home())


def _copy(source: Path, target: Path, link: bool) -> None:
    """A link is as safe as a copy: a run's files at home are replaced, never written into."""
    try:
        if link:
            os.link(source, target, follow_symlinks=False)
            return
    except OSError:
        pass
    shutil.copy2(source, target, follow_symlinks=False)
