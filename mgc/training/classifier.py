"""A gradient head with the normalisation of its features, as one torch module; and what it says of
tracks: the mean over all windows of all clips."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mgc.heads.pooling import fit_pooling
from mgc.plugins.contract import FeatureKind, FeatureShape
from mgc.training.batches import Windows, WindowSource
from mgc.training.track_data import check_finite, shape_of

if TYPE_CHECKING:
    from accelerate import Accelerator

MIN_DEVIATION = 1e-4  # a row that never changes stays at 0 instead of being blown up
EVALUATION_BATCH = 64  # windows


class Classifier(nn.Module):
    """Normalised features → logits and embedding.

    ``mean`` and ``scale`` have the shape of a clip with one frame: (feature, 1), (feature,) or
    (layer, feature). With a ``basis`` (component, feature) the rows of a sequence are projected
    onto it. All three are saved with the weights.
    """

    mean: Tensor
    scale: Tensor
    basis: Tensor

    def __init__(self, head: Any, normalisation: Normalisation) -> None:
        super().__init__()
        self.head = head
        for name, tensor in asdict(normalisation).items():
            self.register_buffer(name, tensor)

    def normalise(self, features: Tensor) -> Tensor:
        """Raw features (clip, …) of any float type → float32 with mean 0 and deviation 1 per
        row."""
        scaled = (features.float() - self.mean) / self.scale
        return self.basis @ scaled if len(self.basis) else scaled

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features and valid frames (clip,) → logits (clip, genre), embedding."""
        embedding = self.head.embed(features, lengths)
        return self.head.classify(embedding), embedding


@dataclass(frozen=True)
class Normalisation:
    """See `Classifier`; a ``basis`` of shape (0, 0) means none."""

    mean: Tensor
    scale: Tensor
    basis: Tensor

    def shape(self, clip: np.ndarray, kind: FeatureKind) -> FeatureShape:
        """The shape that the head is built for, from one clip's raw feature."""
        shape = shape_of(kind, clip)
        return replace(shape, features=len(self.basis)) if len(self.basis) else shape


def fit_normalisation(
    kind: FeatureKind, clips: Sequence[np.ndarray], whiten: bool
) -> Normalisation:
    """Mean and deviation of each feature row over all frames of all ``clips``, or whitening.

    Raises MgcError if a value is not finite.
    """
    count, total, squares = _sums(kind, clips)
    check_finite(total)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    deviation[deviation < MIN_DEVIATION] = 1.0
    basis = np.zeros((0, 0))
    if whiten and kind == "sequence":
        pooling = fit_pooling(kind, clips)
        mean, deviation, basis = pooling.mean, np.ones(1), pooling.components
    if kind == "sequence":
        mean, deviation = mean[:, None], deviation[:, None]
    parts = (mean, deviation, basis)
    return Normalisation(*(torch.from_numpy(np.ascontiguousarray(p, np.float32)) for p in parts))


def _sums(kind: FeatureKind, clips: Sequence[np.ndarray]) -> tuple[int, np.ndarray, np.ndarray]:
    """The number of frames (clips, if there is no time axis), and for each row the sum and the sum
    of squares; a value that is not finite makes its sum not finite."""
    count, total, squares = 0, np.zeros(()), np.zeros(())
    for clip in clips:
        values = np.asarray(clip, np.float32)
        frames = values if kind == "sequence" else values[..., None]
        count += frames.shape[-1]
        total = total + frames.sum(-1, dtype=np.float64)
        squares = squares + np.einsum("...t,...t->...", frames, frames, dtype=np.float64)
    return count, total, squares


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
