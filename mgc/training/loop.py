"""The training of gradient heads, from top to bottom.

One loop for a CPU, a GPU or several processes; Hugging Face accelerate handles the difference.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from sklearn.metrics import f1_score
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mgc.errors import MgcError
from mgc.training.augment import Augment, soft_targets
from mgc.training.batches import ClipTable, WindowSource, source
from mgc.training.checkpoint import load_checkpoint, optimizer_tensors, restore_optimizer
from mgc.training.classifier import Classifier, lengths_of, score_tracks
from mgc.training.fitted_head import Facts
from mgc.training.head_spec import Training
from mgc.training.job import TrainingJob
from mgc.training.tracking import write_history

MIN_PROBABILITY = 1e-12


def update_average(
    decay: float, averages: list[Tensor], current: list[Tensor], count: Tensor | int
) -> None:
    """Move an exponential moving average of weights after ``count`` steps.

    Its decay rises to ``decay`` with the steps (as TensorFlow's ExponentialMovingAverage has it):
    otherwise it would hold the untrained weights for the first 1 / (1 - decay) steps and more.
    """
    warm = min(decay, (1 + int(count)) / (10 + int(count)))
    get_ema_multi_avg_fn(warm)(averages, current, count)


class Loop:
    """A training in progress: model, optimiser, average, and the state that a checkpoint holds.

    ``setup`` identifies the training, so that only the same training is resumed from its folder.
    """

    def __init__(
        self,
        job: TrainingJob,
        facts: Facts,
        model: Classifier,
        accelerator: Accelerator,
        setup: Mapping[str, Any],
    ) -> None:
        self.job, self.facts, self.accelerator = job, facts, accelerator
        self.training = job.spec.training
        self.model = model.to(accelerator.device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: AveragedModel | None = None
        if self.training.ema:
            average = partial(update_average, self.training.ema)
            self.average = AveragedModel(self.model, multi_avg_fn=average, use_buffers=True)
        self.rows = len(self.model.basis) or len(self.model.mean)
        self.source = self._source(job.train)
        self.validation = self._source(job.validation) if len(job.validation) else None
        self.steps = self._steps()
        self.wrapped, self.optimizer = accelerator.prepare(
            self.model, _optimizer(self.model, self.training)
        )
        self.state = load_checkpoint(job.folder, setup, accelerator.device, job.tracker.progress)
        if self.state.epoch:
            self.model.load_state_dict(self.state.tensors["model"])
            restore_optimizer(self.optimizer, self.state.tensors["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(self.state.tensors["average"])

    def train(self) -> list[dict[str, Any]]:
        """Train the model, leaving it with the best epoch's weights. Return the history.

        A checkpoint is written after every epoch; if the job's folder holds one, the training
        continues from it and ends as if it had never stopped. Raises MgcError for a loss that is
        not finite.
        """
        while not self.finished():
            began = time.perf_counter()
            losses = self.run_epoch()
            row = {
                "epoch": self.state.epoch + 1,
                "train_loss": float(losses.mean()),
                **self.validate(),
                "learning_rate": self.optimizer.param_groups[0]["lr"],
                "seconds": time.perf_counter() - began,
            }
            self.keep_best(row)
            self.store(row)
            self.tell(row, losses)
        self.accelerator.unwrap_model(self.wrapped, keep_fp32_wrapper=False)
        self.model.load_state_dict(self.state.tensors["best"])
        self.accelerator.free_memory()
        return self.state.history

    @property
    def evaluated(self) -> Classifier:
        """The weights that are scored and kept: the average if there is one."""
        return self.model if self.average is None else cast(Classifier, self.average.module)

    def finished(self) -> bool:
        """Whether all epochs are done or patience has run out."""
        waited = self.state.epoch - self.state.best_epoch
        stopped = 0 < self.training.patience <= waited and self.validation is not None
        return self.state.epoch >= self.training.epochs or stopped

    def run_epoch(self) -> Tensor:
        """Train on one window of every track. Return the loss of each step (step,)."""
        training, device, n_genres = self.training, self.accelerator.device, self.facts.n_genres
        table = self.source.table
        augment = Augment(training, table.kind, self.rows, table.size)
        windows = table.draw(self._seed_epoch(), sum(total for _, total in self.steps))
        all_genres = self.job.data.genres[self.job.train].astype(np.int64)
        genres = torch.from_numpy(all_genres[windows.track]).to(device)
        weights = _genre_weights(all_genres, n_genres, training).to(device)
        losses = []
        self.model.train()
        batches = self.source.batches(windows, [part for part, _ in self.steps])
        for (part, total), raw in zip(self.steps, batches, strict=True):
            targets = soft_targets(genres[part], n_genres, training.label_smoothing)
            features, targets = augment(self.model.normalise(raw), targets)
            logits, _ = self.wrapped(features, lengths_of(features))
            each = -(targets * weights * logits.float().log_softmax(1)).sum(1)
            # Gradients are averaged over processes: this makes it the mean of the whole batch.
            loss = each.sum() * self.accelerator.num_processes / total
            self._step(loss)
            losses.append(loss.detach())
        means: Tensor = self.accelerator.reduce(torch.stack(losses), "mean").cpu()
        if not torch.isfinite(means).all():
            raise MgcError(
                f"The training loss is no longer finite in epoch {self.state.epoch + 1}.",
                "Try a lower learning rate (--set learning_rate=0.0005) or precision=fp32.",
            )
        return means

    def _step(self, loss: Tensor) -> None:
        training = self.training
        share = _learning_rate_share(self.state.step, training.epochs * len(self.steps), training)
        for group in self.optimizer.param_groups:
            group["lr"] = training.learning_rate * share
        self.accelerator.backward(loss)
        if training.gradient_clip:
            self.accelerator.clip_grad_norm_(self.model.parameters(), training.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.state.step += 1

    def validate(self) -> dict[str, float]:
        """Scores of the validation tracks, by name; empty if there are none."""
        if self.accelerator.num_processes > 1:
            for buffer in self.evaluated.buffers():
                broadcast(buffer)  # every process scores with the first one's statistics
        if self.validation is None:
            return {}
        probabilities, _ = score_tracks(
            self.evaluated, self.validation, self.facts.n_genres, self.accelerator
        )
        genres, chosen = self.job.data.genres[self.job.validation], probabilities.argmax(1)
        right = np.maximum(probabilities[np.arange(len(genres)), genres], MIN_PROBABILITY)
        return {
            "validation_loss": float(-np.log(right).mean()),
            "validation_accuracy": float((chosen == genres).mean()),
            "validation_f1": float(f1_score(genres, chosen, average="macro", zero_division=0)),
        }

    def keep_best(self, row: Mapping[str, Any]) -> None:
        """Keep this epoch's weights if they are the best so far, or if there is nothing to judge
        by."""
        state, monitor = self.state, self.training.monitor
        score, best = row.get(f"validation_{monitor}"), state.best_score
        if score is not None and best is not None:
            better = score < best if monitor == "loss" else score > best
            if not better:
                return
        state.best_score, state.best_epoch = score, int(row["epoch"])
        state.tensors["best"] = {
            name: tensor.detach().clone() for name, tensor in self.evaluated.state_dict().items()
        }

    def store(self, row: dict[str, Any]) -> None:
        """Count the epoch and, in the first process, write the checkpoint and the history."""
        self.state.epoch += 1
        self.state.history.append(row)
        if self.accelerator.is_main_process:
            self.state.tensors["model"] = self.model.state_dict()
            self.state.tensors["optimizer"] = optimizer_tensors(self.optimizer)
            if self.average is not None:
                self.state.tensors["average"] = self.average.state_dict()
            self.state.save(self.job.folder)
            write_history(self.job.folder, self.state.history)
        self.accelerator.wait_for_everyone()

    def tell(self, row: Mapping[str, Any], losses: Tensor) -> None:
        """Pass the figures on to the tracker, in the first process only."""
        if not self.accelerator.is_main_process:
            return
        first = self.state.step - len(losses)
        for number, loss in enumerate(losses.tolist(), start=first + 1):
            self.job.tracker.log({"step": number, "batch_loss": loss})
        self.job.tracker.log(row)
        self.job.tracker.progress.epoch({**row, "epochs": self.training.epochs})

    def _source(self, tracks: np.ndarray) -> WindowSource:
        features = self.job.data.inputs(tracks, self.job.pooling)
        table = ClipTable(self.facts.shape.kind, features, self.facts.window)
        return source(table, self.accelerator.device, self.training.features_on)

    def _steps(self) -> list[tuple[slice, int]]:
        """This process's part of every batch, and the size of the whole batch.

        Batches of an epoch differ in size by at most one; no part has fewer than two windows,
        because batch normalisation needs two.
        """
        smallest = 2 * self.accelerator.num_processes
        count = max(self.source.table.n_tracks, smallest)
        batches = max(1, min(math.ceil(count / self.training.batch_size), count // smallest))
        steps = []
        for batch in np.array_split(np.arange(count), batches):
            parts = np.array_split(batch, self.accelerator.num_processes)
            mine = parts[self.accelerator.process_index]
            steps.append((slice(int(mine[0]), int(mine[-1]) + 1), len(batch)))
        return steps

    def _seed_epoch(self) -> np.random.Generator:
        """Seed torch for this epoch and process; return the generator that all processes share."""
        job, epoch = self.job, self.state.epoch
        own = np.random.SeedSequence([job.seed, epoch, 1 + self.accelerator.process_index])
        torch.manual_seed(int(own.generate_state(1, np.uint64)[0] >> 1))
        return np.random.default_rng([job.seed, epoch])


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


def _genre_weights(genres: np.ndarray, n_genres: int, training: Training) -> Tensor:
    """Weight of each genre (genre,): 1, or the inverse of its frequency; 0 if it is absent."""
    if training.class_weights == "none":
        return torch.ones(n_genres)
    counts = np.bincount(genres, minlength=n_genres)
    weights = np.divide(len(genres), counts, out=np.zeros(n_genres), where=counts > 0)
    return torch.from_numpy(weights / max(1, np.count_nonzero(counts))).float()
