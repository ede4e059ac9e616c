"""The training of gradient heads, from top to bottom.

One loop for a CPU, a GPU or several processes; Hugging Face accelerate handles the difference.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mgc.errors import MgcError
from mgc.progress import Progress
from mgc.training.augment import Augment, soft_targets
from mgc.training.batches import WindowSource
from mgc.training.checkpoint import load_checkpoint, optimizer_tensors, restore_optimizer
from mgc.training.classifier import Classifier
from mgc.training.scoring import lengths_of, score_tracks
from mgc.training.settings import Training
from mgc.training.tracking import Tracker, write_history
from mgc.training.validation_scores import balanced_weights, is_better, track_scores


@dataclass(frozen=True)
class TrainingJob:
    """What is trained, on what, and how.

    ``genres`` and ``validation_genres`` (track,) belong to the tracks of the sources' tables;
    ``setup`` identifies the training, so that only the same training is resumed from ``folder``.
    """

    model: Classifier
    source: WindowSource
    genres: np.ndarray
    validation: WindowSource | None
    validation_genres: np.ndarray
    n_genres: int
    training: Training
    seed: int
    accelerator: Accelerator
    folder: Path
    setup: Mapping[str, Any]
    progress: Progress
    tracker: Tracker


def train(job: TrainingJob) -> list[dict[str, Any]]:
    """Train ``job.model``, leaving it with the best epoch's weights. Return the history.

    A checkpoint is written after every epoch; if ``job.folder`` holds one, the training continues
    from it and ends as if it had never stopped. Raises MgcError for a loss that is not finite.
    """
    loop = Loop(job)
    while not loop.finished():
        began = time.perf_counter()
        losses = loop.run_epoch()
        row = {
            "epoch": loop.state.epoch + 1,
            "train_loss": float(losses.mean()),
            **loop.validate(),
            "learning_rate": loop.optimizer.param_groups[0]["lr"],
            "seconds": time.perf_counter() - began,
        }
        loop.keep_best(row)
        loop.store(row)
        loop.tell(row, losses)
    return loop.end()


class Loop:
    """A training in progress: model, optimiser, average, and the state that a checkpoint holds."""

    def __init__(self, job: TrainingJob) -> None:
        self.job = job
        self.training = job.training
        self.model = job.model.to(job.accelerator.device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = _average(self.model, job.training.ema)
        self.rows = len(self.model.basis) or len(self.model.mean)
        self.steps = _steps(job)
        self.wrapped, self.optimizer = job.accelerator.prepare(
            self.model, _optimizer(self.model, job.training)
        )
        self.state = load_checkpoint(job.folder, job.setup, job.accelerator.device)
        self._restore()

    @property
    def evaluated(self) -> Classifier:
        """The weights that are scored and kept: the average if there is one."""
        return self.model if self.average is None else cast(Classifier, self.average.module)

    def finished(self) -> bool:
        """Whether all epochs are done or patience has run out."""
        waited = self.state.epoch - self.state.best_epoch
        stopped = 0 < self.training.patience <= waited and self.job.validation is not None
        return self.state.epoch >= self.training.epochs or stopped

    def run_epoch(self) -> Tensor:
        """Train on one window of every track. Return the loss of each step (step,)."""
        job, training, device = self.job, self.training, self.job.accelerator.device
        table = job.source.table
        augment = Augment(training, table.kind, self.rows, table.size)
        windows = table.draw(self._seed_epoch(), sum(total for _, total in self.steps))
        genres = torch.from_numpy(job.genres[windows.track]).to(device)
        weights = _genre_weights(job).to(device)
        losses = []
        self.model.train()
        batches = job.source.batches(windows, [part for part, _ in self.steps])
        for (part, total), raw in zip(self.steps, batches, strict=True):
            targets = soft_targets(genres[part], job.n_genres, training.label_smoothing)
            features, targets = augment(self.model.normalise(raw), targets)
            logits, _ = self.wrapped(features, lengths_of(features))
            each = -(targets * weights * logits.float().log_softmax(1)).sum(1)
            # Gradients are averaged over processes: this makes it the mean of the whole batch.
            loss = each.sum() * job.accelerator.num_processes / total
            self._step(loss)
            losses.append(loss.detach())
        return self._finite(job.accelerator.reduce(torch.stack(losses), "mean"))

    def _step(self, loss: Tensor) -> None:
        training = self.training
        share = _learning_rate_share(self.state.step, training.epochs * len(self.steps), training)
        for group in self.optimizer.param_groups:
            group["lr"] = training.learning_rate * share
        self.job.accelerator.backward(loss)
        if training.gradient_clip:
            self.job.accelerator.clip_grad_norm_(self.model.parameters(), training.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.state.step += 1

    def validate(self) -> dict[str, float]:
        """Scores of the validation tracks, by name; empty if there are none."""
        if self.job.accelerator.num_processes > 1:
            for buffer in self.evaluated.buffers():
                broadcast(buffer)  # every process scores with the first one's statistics
        if self.job.validation is None:
            return {}
        probabilities, _ = score_tracks(
            self.evaluated, self.job.validation, self.job.n_genres, self.job.accelerator
        )
        scores = track_scores(probabilities, self.job.validation_genres)
        return {f"validation_{name}": score for name, score in scores.items()}

    def keep_best(self, row: Mapping[str, Any]) -> None:
        """Keep this epoch's weights if they are the best so far, or if there is nothing to judge
        by."""
        state, monitor = self.state, self.training.monitor
        score, best = row.get(f"validation_{monitor}"), state.best_score
        if score is not None and best is not None and not is_better(score, best, monitor):
            return
        state.best_score, state.best_epoch = score, int(row["epoch"])
        state.tensors["best"] = {
            name: tensor.detach().clone() for name, tensor in self.evaluated.state_dict().items()
        }

    def store(self, row: dict[str, Any]) -> None:
        """Count the epoch and, in the first process, write the checkpoint and the history."""
        self.state.epoch += 1
        self.state.history.append(row)
        if self.job.accelerator.is_main_process:
            self.state.tensors["model"] = self.model.state_dict()
            self.state.tensors["optimizer"] = optimizer_tensors(self.optimizer)
            if self.average is not None:
                self.state.tensors["average"] = self.average.state_dict()
            self.state.save(self.job.folder)
            write_history(self.job.folder, self.state.history)
        self.job.accelerator.wait_for_everyone()

    def tell(self, row: Mapping[str, Any], losses: Tensor) -> None:
        """Pass the figures on to the tracker, in the first process only."""
        if not self.job.accelerator.is_main_process:
            return
        first = self.state.step - len(losses)
        for number, loss in enumerate(losses.tolist(), start=first + 1):
            self.job.tracker.log({"step": number, "batch_loss": loss})
        self.job.tracker.log(row)
        self.job.progress.epoch({**row, "epochs": self.training.epochs})

    def end(self) -> list[dict[str, Any]]:
        """Put the best weights into the model, without accelerate's wrapper."""
        self.job.accelerator.unwrap_model(self.wrapped, keep_fp32_wrapper=False)
        self.model.load_state_dict(self.state.tensors["best"])
        self.job.accelerator.free_memory()
        return self.state.history

    def _restore(self) -> None:
        tensors = self.state.tensors
        if not self.state.epoch:
            return
        self.model.load_state_dict(tensors["model"])
        restore_optimizer(self.optimizer, tensors["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(tensors["average"])

    def _seed_epoch(self) -> np.random.Generator:
        """Seed torch for this epoch and process; return the generator that all processes share."""
        job, epoch = self.job, self.state.epoch
        own = np.random.SeedSequence([job.seed, epoch, 1 + job.accelerator.process_index])
        torch.manual_seed(int(own.generate_state(1, np.uint64)[0] >> 1))
        return np.random.default_rng([job.seed, epoch])

    def _finite(self, losses: Tensor) -> Tensor:
        losses = losses.cpu()
        if not torch.isfinite(losses).all():
            raise MgcError(
                f"The training loss is no longer finite in epoch {self.state.epoch + 1}.",
                "Try a lower learning rate (--set learning_rate=0.0005) or precision=fp32.",
            )
        return losses


def _steps(job: TrainingJob) -> list[tuple[slice, int]]:
    """This process's part of every batch, and the size of the whole batch.

    Batches of an epoch differ in size by at most one; no part has fewer than two windows, because
    batch normalisation needs two.
    """
    processes, rank = job.accelerator.num_processes, job.accelerator.process_index
    smallest = 2 * processes
    count = max(job.source.table.n_tracks, smallest)
    batches = max(1, min(math.ceil(count / job.training.batch_size), count // smallest))
    steps = []
    for batch in np.array_split(np.arange(count), batches):
        mine = np.array_split(batch, processes)[rank]
        steps.append((slice(int(mine[0]), int(mine[-1]) + 1), len(batch)))
    return steps


def _learning_rate_share(step: int, steps: int, training: Training) -> float:
    """Linear warm-up to 1, then half a cosine down to 0 at the last step."""
    warm_up = training.warm_up * steps
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    done = (step - warm_up) / max(1.0, steps - warm_up)
    return 0.5 * (1.0 + math.cos(math.pi * done))


def _optimizer(model: Classifier, training: Training) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019); only weight matrices decay.

    Fused: one pass over all weights. The unfused form runs several tiny parallel operations per
    weight matrix, whose threads wait so long for each other on a busy CPU that an epoch takes 40 ×
    the time.
    """
    matrices = [p for p in model.parameters() if p.requires_grad and p.dim() >= 2]
    others = [p for p in model.parameters() if p.requires_grad and p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": training.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    fused = model.mean.device.type in ("cuda", "cpu")
    return torch.optim.AdamW(groups, lr=training.learning_rate, fused=fused)


def _average(model: Classifier, decay: float) -> AveragedModel | None:
    if decay == 0:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def _genre_weights(job: TrainingJob) -> Tensor:
    if job.training.class_weights == "none":
        return torch.ones(job.n_genres)
    return torch.from_numpy(balanced_weights(job.genres, job.n_genres)).float()
