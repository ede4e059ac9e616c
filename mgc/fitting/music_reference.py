"""Fits what a run keeps of its training music (`mgc.runs.reference`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from sklearn.svm import SVC

from mgc.datasets.splits import Fold
from mgc.fitting.prepared import Prepared
from mgc.runs.reference import Machine, Reference, standardised

NOT_MUSIC = Path(__file__).parent / "not_music.safetensors"
COST, WIDTH = 1.0, 1.0  # of the machine; gamma is the width over the number of statistics
MAX_TRACKS = 2_000  # that a machine is fitted on, and that are scored at once


def fit_reference(
    prepared: Prepared, folds: Sequence[Fold], learns: Sequence[str]
) -> Reference | None:
    """The reference of a run on these folds, whose heads learn from the parts ``learns``; None if
    no texture is known."""
    textures = prepared.textures()
    known = np.isfinite(textures).all(1)
    machines, scores, scored = [], [], []
    for fold in folds:
        training = fold.training[known[fold.training]]
        held_out = fold.test if len(folds) > 1 else np.concatenate([fold.validation, fold.test])
        held_out = held_out[known[held_out]]
        if not len(training) or not len(held_out):
            return None
        machines.append(fit_machine(textures[_some(training)], *not_music()))
        blocks = np.array_split(textures[held_out], 1 + len(held_out) // MAX_TRACKS)
        scores += [machines[-1].score(block) for block in blocks]
        scored.append(held_out)
    learnt = np.unique(np.concatenate([getattr(fold, part) for fold in folds for part in learns]))
    keys = np.array([int(key, 16) for key in prepared.audio_keys], np.uint64)
    held_out_scores = np.concatenate(scores)
    order = np.argsort(held_out_scores, kind="stable")
    return Reference(
        machines,
        held_out_scores[order],
        np.sort(keys[learnt]),
        prepared.source.texture.info.revision,
        keys[np.concatenate(scored)[order]],
    )


def fit_machine(music: np.ndarray, others: np.ndarray, kinds: np.ndarray) -> Machine:
    """A machine that tells music from ``others``, both (row, statistic), in which each of the
    ``kinds`` (row,) has the same weight, and all together that of the music."""
    _, kind, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    weights = np.concatenate([np.ones(len(music)), len(music) / len(counts) / counts[kind]])
    rows = np.concatenate([music, others])
    mean = np.average(rows, axis=0, weights=weights)
    scale = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weights)) + 1e-6
    machine = SVC(C=COST, gamma=WIDTH / rows.shape[1])
    machine.fit(standardised(rows, mean, scale), np.arange(len(rows)) >= len(music), weights)
    kernel = np.array([machine.gamma, machine.intercept_[0]])
    return Machine(mean, scale, machine.support_vectors_, machine.dual_coef_[0], kernel)


@cache
def not_music() -> tuple[np.ndarray, np.ndarray]:
    """Textures (row, statistic) of `mgc.datasets.synthesis.not_music`, and their kinds (row,);
    written by benchmarks/unknown.py."""
    held = load_file(NOT_MUSIC)
    return held["textures"].astype(np.float64), held["kinds"]


def _some(tracks: np.ndarray) -> np.ndarray:
    """At most `MAX_TRACKS` of them."""
    if len(tracks) <= MAX_TRACKS:
        return tracks
    return np.random.default_rng(0).choice(tracks, MAX_TRACKS, replace=False)
