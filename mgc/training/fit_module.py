"""Trains one torch head on features."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from mgc.errors import MgcError
from mgc.plugins.contract import FeatureKind
from mgc.training.batches import window_frames
from mgc.training.classifier import Classifier, fit_normalisation
from mgc.training.devices import accelerator, precision_of, resolve_device
from mgc.training.fitted_head import CHECKPOINT, FACTS, Facts
from mgc.training.fitted_module import FittedModule
from mgc.training.job import TrainingJob
from mgc.training.loop import Loop


def fit_module(job: TrainingJob, kind: FeatureKind, device: str, resume: bool) -> FittedModule:
    """Train, save and return a torch head that takes ``kind``; the checkpoint is deleted once the
    model is on disk."""
    where = resolve_device(device)
    with torch.random.fork_rng([where] if where.type == "cuda" else []):
        try:
            return _trained(job, kind, where, resume)
        except torch.OutOfMemoryError as error:
            raise MgcError(
                f"The device has too little memory to train head {job.spec.name!r}.",
                "Try --set batch_size=16, or --set features_on=disk.",
            ) from error


def _trained(
    job: TrainingJob, kind: FeatureKind, device: torch.device, resume: bool
) -> FittedModule:
    spec, data, training = job.spec, job.data, job.spec.training
    clips = [clip for track in data.inputs(job.train, job.pooling) for clip in track]
    normalisation = fit_normalisation(kind, clips, training.normalisation == "whitening")
    shape = normalisation.shape(clips[0], kind)
    window = window_frames(kind, training, clips)
    facts = Facts(spec, data.kind, shape, data.n_genres, job.seed, window)
    precision = precision_of(training.precision, device)
    processes = accelerator(device, precision)
    if processes.is_main_process and not resume:
        for name in (CHECKPOINT, FACTS):
            (job.folder / name).unlink(missing_ok=True)
    processes.wait_for_everyone()
    torch.manual_seed(job.seed)
    head = spec.implementation(spec.params, shape, data.n_genres)
    model = Classifier(head, normalisation)
    content = [job.train, job.validation, data.genres, *vars(normalisation).values()]
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in content))
    setup = {  # what identifies this training
        **facts.as_dict(),
        "precision": precision,
        "processes": processes.num_processes,
        "data": digest.hexdigest(),
    }
    history = Loop(job, facts, model, processes, setup).train()
    fitted = FittedModule(facts, job.pooling, model, processes.device, history=history)
    if processes.is_main_process:
        fitted.save(job.folder)
        (job.folder / CHECKPOINT).unlink(missing_ok=True)
    processes.wait_for_everyone()
    return fitted
