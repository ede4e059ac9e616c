"""Probabilities and embeddings of tracks: the mean over all windows of all clips."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mgc.training.batches import Windows, WindowSource
from mgc.training.classifier import Classifier

if TYPE_CHECKING:
    from accelerate import Accelerator

EVALUATION_BATCH = 64  # windows


def score_tracks(
    model: Classifier, source: WindowSource, n_genres: int, accelerator: Accelerator | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (track, genre) float64, rows sum to 1, and embeddings (track, …) float32.

    With an ``accelerator`` its precision is used, its processes share the work and each gets the
    full result; without one, this process does everything in float32.
    """
    windows = source.table.cover()
    share, counted = _share(len(windows), accelerator)
    mine = Windows(windows.track[share], windows.clip[share], windows.start[share])
    outputs = _outputs(model, source, mine, accelerator)
    sums = np.zeros((source.table.n_tracks, 1 + outputs.shape[1]))
    np.add.at(sums, mine.track[counted], np.insert(outputs[counted], 0, 1.0, axis=1))
    if accelerator is not None and accelerator.num_processes > 1:
        total = torch.from_numpy(sums).float().to(accelerator.device)
        sums = accelerator.reduce(total, "sum").cpu().double().numpy()
    means = sums[:, 1:] / sums[:, :1]
    probabilities = means[:, :n_genres]
    probabilities /= probabilities.sum(1, keepdims=True)
    return probabilities, means[:, n_genres:].astype(np.float32)


def _share(count: int, accelerator: Accelerator | None) -> tuple[np.ndarray, np.ndarray]:
    """This process's window numbers, and which of them count (the last ones may be padding)."""
    rank, processes = 0, 1
    if accelerator is not None:
        rank, processes = accelerator.process_index, accelerator.num_processes
    each = -(-count // processes)
    share = np.arange(rank * each, (rank + 1) * each)
    return share % count, share < count


@torch.no_grad()
def _outputs(
    model: Classifier, source: WindowSource, windows: Windows, accelerator: Accelerator | None
) -> np.ndarray:
    """(window, genre + dimension): probabilities, then the embedding."""
    starts = range(0, len(windows), EVALUATION_BATCH)
    parts = [slice(start, start + EVALUATION_BATCH) for start in starts]
    model.eval()
    rows: list[Tensor] = []
    for raw in source.batches(windows, parts):
        with accelerator.autocast() if accelerator else nullcontext():
            logits, embedding = model(model.normalise(raw), lengths_of(raw))
        rows.append(torch.cat([logits.float().softmax(1), embedding.float()], 1))
    outputs: np.ndarray = torch.cat(rows).cpu().numpy()
    return outputs


def lengths_of(features: Tensor) -> Tensor:
    """The valid frames of each window: all of them, because short clips are repeated."""
    frames = features.shape[2] if features.dim() == 3 else 1
    return torch.full((len(features),), frames, device=features.device)
