"""Fits one head on features."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save as tensor_bytes

from mgc.errors import UsageError
from mgc.heads.large_arrays import room
from mgc.home import replace_file
from mgc.progress import Progress, Silent
from mgc.training.fitted_head import (
    CHECKPOINT,
    FACTS,
    Facts,
    FittedEstimator,
    FittedHead,
    naming,
    restore_head,
)
from mgc.training.head_spec import HeadSpec, taken_kind
from mgc.training.job import TrainingJob
from mgc.training.track_data import TrackData, check_finite, check_tracks, shape_of
from mgc.training.tracking import Guarded, Tracker

ANSWERS = "held_out.safetensors"  # what a first fit answers for the validation tracks


def fit_head(
    spec: HeadSpec,
    data: TrackData,
    train: np.ndarray,
    validation: np.ndarray,
    *,
    seed: int,
    folder: Path,
    device: str = "auto",
    progress: Progress | None = None,
    tracker: Tracker | None = None,
    resume: bool = False,
) -> FittedHead:
    """Fit a head on the ``train`` tracks (track numbers); save it in ``folder`` and return it.

    ``validation`` tracks decide when a gradient head stops and which epoch is kept. An estimator
    learns from them too, in a second fit: the first, on the ``train`` tracks alone, only answers
    them (`held_out_answers`). Nothing is learnt from any other track. A gradient head leaves a
    checkpoint in ``folder`` after every epoch; with ``resume`` the training continues from it (or,
    if it had ended, is read back); without, whatever is in ``folder`` is discarded. The same seed
    on the same machine gives the same numbers on a CPU.

    Raises MgcError for a head that cannot take the features, an empty split, features or a loss
    that are not finite, or a checkpoint from another training.
    """
    spec.check()
    check_tracks(data, train)
    kind = taken_kind(spec.info, data.kind)
    if kind is None:
        raise UsageError(
            f"Head {spec.name!r} takes {' or '.join(spec.info.accepts)}, not {data.kind}.",
            "Choose another with --head; see: mgc heads list",
        )
    if resume and (folder / FACTS).exists():
        (folder / CHECKPOINT).unlink(missing_ok=True)  # killed between the two
        return restore_head(folder, device)
    with spec.blamed("fit"):
        pooling = data.pooling(train) if kind == "vector" else None
        guarded = Guarded(tracker, progress or Silent())
        job = TrainingJob(spec, data, train, validation, pooling, seed, folder, guarded)
        if spec.info.trained_by == "estimator":
            return _fit_estimator(job)
        from mgc.training.fit_module import fit_module

        return fit_module(job, kind, device, resume)


def _fit_estimator(job: TrainingJob) -> FittedHead:
    """Fit on all clips of the training tracks, pooled, for answers to the validation tracks; then
    on both."""
    spec, data = job.spec, job.data
    if job.pooling is None:
        raise UsageError(f"Head {spec.name!r} is an estimator and must accept vectors.")
    tracks = np.concatenate([job.train, job.validation])
    vectors = data.inputs(tracks, job.pooling)
    counts = [len(vector) for vector in vectors]
    rows = room(sum(counts), len(vectors[0][0]))
    for vector, end in zip(vectors, np.cumsum(counts), strict=True):
        check_finite(np.asarray(vector))
        rows[end - len(vector) : end] = vector
    genres, groups = (np.repeat(column[tracks], counts) for column in (data.genres, data.groups))
    facts = Facts(spec, data.kind, shape_of("vector", rows[0]), data.n_genres, job.seed)

    def fitted_on(clips: int) -> Any:
        estimator = spec.implementation(spec.params, job.seed)
        return estimator.fit(rows[:clips], genres[:clips], groups[:clips], data.n_genres)

    if len(job.validation):
        ends = np.cumsum(counts)[len(job.train) - 1 :]
        held_out = [rows[start:end] for start, end in pairwise(ends)]
        answers = FittedEstimator(facts, None, fitted_on(ends[0])).predict(held_out)[0]
        job.folder.mkdir(parents=True, exist_ok=True)
        replace_file(job.folder / ANSWERS, tensor_bytes({"probabilities": answers}))
    else:
        (job.folder / ANSWERS).unlink(missing_ok=True)
    fitted = FittedEstimator(facts, job.pooling, fitted_on(len(rows)))
    fitted.save(job.folder)  # its checksums include the answers
    return fitted


def held_out_answers(folder: Path) -> np.ndarray | None:
    """Probabilities (track, genre) of the validation tracks that an estimator in ``folder`` has
    learnt from, by a fit that had not; None if there are none."""
    path = folder / ANSWERS
    if not path.exists():
        return None
    with naming(path):
        return load_file(path)["probabilities"]
