"""Fits one head on features."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from mgc.errors import MgcError, UsageError
from mgc.heads.pooling import Pooling
from mgc.plugins.contract import FeatureKind
from mgc.progress import Progress, Silent
from mgc.training.batches import WindowSource, clip_table, source, window_frames
from mgc.training.checkpoint import NAME as CHECKPOINT
from mgc.training.classifier import Classifier, fit_normalisation
from mgc.training.devices import accelerator, precision_of, resolve_device
from mgc.training.fitted_head import FACTS, Facts, FittedEstimator, FittedHead, FittedModule
from mgc.training.head_spec import HeadSpec, taken_kind
from mgc.training.loop import TrainingJob
from mgc.training.loop import train as train_loop
from mgc.training.restore import restore_head
from mgc.training.track_data import Clips, TrackData, check_finite, check_tracks, shape_of
from mgc.training.tracking import Guarded, NoTracker, Tracker


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

    ``validation`` tracks decide when a gradient head stops and which epoch is kept; an estimator
    ignores them. Nothing is learnt from any other track. A gradient head leaves a
    checkpoint in ``folder`` after every epoch; with ``resume`` the training continues from it (or,
    if it had ended, is read back); without, whatever is in ``folder`` is discarded. The same seed
    on the same machine gives the same numbers on a CPU.

    Raises MgcError for a head that cannot take the features, an empty split, features or a loss
    that are not finite, or a checkpoint from another training.
    """
    spec.check()
    progress = progress or Silent()
    check_tracks(data, train, "training")
    kind = taken_kind(spec.info, data.kind)
    if kind is None:
        raise UsageError(
            f"Head {spec.name!r} takes {' or '.join(spec.info.accepts)}, not {data.kind}.",
            "Choose another with --head; see: mgc heads list",
        )
    if resume and (folder / FACTS).exists():
        (folder / CHECKPOINT).unlink(missing_ok=True)  # killed between the two
        return restore_head(folder, device)
    where = resolve_device(device)
    with _named_failures(spec), torch.random.fork_rng([where] if where.type == "cuda" else []):
        pooling = data.pooling(train) if kind == "vector" else None
        if spec.info.trained_by == "estimator":
            return _fit_estimator(spec, data, train, seed, folder, pooling)
        fit = _ModuleFit(spec, data, train, validation, kind, pooling, seed)
        guarded = Guarded(tracker or NoTracker(), progress)
        return fit.run(where, folder, progress, guarded, resume)


@contextmanager
def _named_failures(spec: HeadSpec) -> Iterator[None]:
    """If a head's code raises an error, name the head and the distribution it comes from."""
    try:
        yield
    except MgcError:
        raise
    except torch.OutOfMemoryError as error:
        raise MgcError(
            f"The device has too little memory to train head {spec.name!r}.",
            "Try --set batch_size=16, or --set features_on=disk.",
        ) from error
    except Exception as error:
        raise MgcError(
            f"Head {spec.name!r} of {spec.entry.distribution} failed: "
            f"{type(error).__name__}: {error}",
            f"Run: mgc plugins check {spec.name}",
        ) from error


def _fit_estimator(
    spec: HeadSpec,
    data: TrackData,
    train: np.ndarray,
    seed: int,
    folder: Path,
    pooling: Pooling | None,
) -> FittedHead:
    """Fit on all clips of the training tracks, pooled."""
    if pooling is None:
        raise UsageError(f"Head {spec.name!r} is an estimator and must accept vectors.")
    vectors = data.vectors(pooling, train)
    rows = np.concatenate(vectors)
    check_finite(rows, "the training tracks")
    counts = [len(vector) for vector in vectors]
    genres, groups = (np.repeat(column[train], counts) for column in (data.genres, data.groups))
    estimator = spec.implementation(spec.params, seed).fit(rows, genres, groups, data.n_genres)
    facts = Facts(spec, data.kind, shape_of("vector", rows[0]), data.n_genres, seed)
    fitted = FittedEstimator(facts, estimator, pooling)
    fitted.save(folder)
    return fitted


class _ModuleFit:
    """The fit of one torch head: set up features and model, then run the loop."""

    def __init__(
        self,
        spec: HeadSpec,
        data: TrackData,
        train: np.ndarray,
        validation: np.ndarray,
        kind: FeatureKind,
        pooling: Pooling | None,
        seed: int,
    ) -> None:
        self.spec, self.data, self.pooling, self.seed = spec, data, pooling, seed
        self.tracks = {"train": np.asarray(train), "validation": np.asarray(validation)}
        clips = [clip for track in self.features("train") for clip in track]
        whiten = spec.training.normalisation == "whitening"
        self.normalisation = fit_normalisation(kind, clips, whiten)
        window = window_frames(kind, spec.training, clips)
        shape = self.normalisation.shape(clips[0], kind)
        self.facts = Facts(spec, data.kind, shape, data.n_genres, seed, window)

    def features(self, part: str) -> Sequence[Clips]:
        """The head's input for the tracks of one part of the split."""
        tracks = self.tracks[part]
        if self.pooling is not None:
            return self.data.vectors(self.pooling, tracks)
        return [self.data.features[track] for track in tracks]

    def run(
        self,
        device: torch.device,
        folder: Path,
        progress: Progress,
        tracker: Tracker,
        resume: bool,
    ) -> FittedHead:
        """Train, save and return the head; the checkpoint is deleted once the model is on disk."""
        precision = precision_of(self.spec.training.precision, device)
        processes = accelerator(device, precision)
        if processes.is_main_process and not resume:
            for name in (CHECKPOINT, FACTS):
                (folder / name).unlink(missing_ok=True)
        processes.wait_for_everyone()
        job = self._job(processes, precision, folder, progress, tracker)
        history = train_loop(job)
        fitted = FittedModule(self.facts, job.model, self.pooling, processes.device, history)
        if processes.is_main_process:
            fitted.save(folder)
            (folder / CHECKPOINT).unlink(missing_ok=True)
        processes.wait_for_everyone()
        return fitted

    def _job(
        self,
        processes: Accelerator,
        precision: str,
        folder: Path,
        progress: Progress,
        tracker: Tracker,
    ) -> TrainingJob:
        return TrainingJob(
            model=self._model(),
            source=self._source("train", processes.device),
            genres=self.data.genres[self.tracks["train"]].astype(np.int64),
            validation=(
                self._source("validation", processes.device)
                if len(self.tracks["validation"])
                else None
            ),
            validation_genres=self.data.genres[self.tracks["validation"]].astype(np.int64),
            n_genres=self.data.n_genres,
            training=self.spec.training,
            seed=self.seed,
            accelerator=processes,
            folder=folder,
            setup=self._setup(precision, processes.num_processes),
            progress=progress,
            tracker=tracker,
        )

    def _model(self) -> Classifier:
        torch.manual_seed(self.seed)
        head = self.spec.implementation(self.spec.params, self.facts.shape, self.data.n_genres)
        return Classifier(head, self.normalisation)

    def _source(self, part: str, device: torch.device) -> WindowSource:
        table = clip_table(self.facts.shape.kind, self.features(part), self.facts.window)
        return source(table, device, self.spec.training.features_on)

    def _setup(self, precision: str, processes: int) -> dict[str, Any]:
        """What identifies this training."""
        content = [*self.tracks.values(), self.data.genres, *vars(self.normalisation).values()]
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in content))
        return {
            **self.facts.as_dict(),
            "precision": precision,
            "processes": processes,
            "data": digest.hexdigest(),
        }
