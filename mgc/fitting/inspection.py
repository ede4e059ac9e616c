"""What a head looks like for the features of an extractor, without any dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchinfo import summary

from mgc import resolve
from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.clips import Clips
from mgc.errors import UsageError
from mgc.features.extraction.one_file import apply
from mgc.features.extractor_spec import ExtractorSpec
from mgc.fitting.request import check_fits
from mgc.heads.pooling import COMPONENTS, fit_pooling
from mgc.plugins.contract import FeatureShape
from mgc.training.batches import MIN_WINDOW
from mgc.training.classifier import Classifier, Normalisation, lengths_of
from mgc.training.head_spec import HeadSpec, taken_kind
from mgc.training.track_data import shape_of

WIDTH = 18  # characters per column
SEED = 0  # of the noise that the extractor is given to find the shape of its features


def head_for(head: str, extractor: str, assignments: Sequence[str], genres: int) -> str:
    """Layers, parameters and multiply-adds of a head for one clip's features, as text.

    Raises UsageError if the head cannot take the features or has no layers.
    """
    sources, specs = resolve.parts([extractor], [head], assignments, ClipPolicy(), "cpu")
    check_fits(sources[0], specs[0])
    shape, frames = _shape(sources[0], taken_kind(specs[0].info, sources[0].kind) or "vector")
    return describe_head(specs[0], shape, genres, frames)


def _shape(source: ExtractorSpec, taken: str) -> tuple[FeatureShape, int]:
    """The shape of what the head gets for one clip of noise, and its frames."""
    rng = np.random.default_rng(SEED)
    samples = int(source.policy.seconds * source.info.sample_rate)
    wave = rng.uniform(-0.5, 0.5, samples).astype(np.float32)
    clips = Clips(wave[None], source.info.sample_rate)
    [feature] = apply(source, clips, Path("(noise)"))
    if taken == "vector":
        pooling = fit_pooling(source.kind, [feature], source.info.unit)
        return shape_of("vector", pooling(feature)), 0
    frames = feature.shape[1] if source.kind == "sequence" else 0
    return shape_of(source.kind, feature), frames


def describe_head(spec: HeadSpec, shape: FeatureShape, genres: int, frames: int = 0) -> str:
    """Layers, output shapes, parameters and multiply-adds of one clip, as a text table.

    ``shape`` is the shape of the features as the head takes them (a pooled sequence is a vector);
    ``frames`` is the length of a clip, of which the head sees one training window. Raises
    UsageError for a head fitted by scikit-learn, which has no layers.
    """
    if spec.info.trained_by == "estimator":
        raise UsageError(
            f"Head {spec.name!r} is fitted by scikit-learn: it has parameters, but no layers.",
            f"Its parameters: mgc heads show {spec.name}",
        )
    crop = spec.training.crop_frames
    window = max(MIN_WINDOW, min(crop or frames, frames or crop))
    if shape.kind == "sequence" and spec.training.normalisation == "whitening":
        shape = replace(shape, features=min(COMPONENTS, shape.features))
    size: tuple[int, ...] = {
        "sequence": (1, shape.features, window),
        "layers": (1, shape.layers, shape.features),
        "vector": (1, shape.features),
    }[shape.kind]
    with torch.random.fork_rng([]):
        head = spec.implementation(spec.params, shape, genres)
    features = torch.zeros(size)
    model = Classifier(head, Normalisation(torch.zeros(1), torch.ones(1), torch.zeros(0, 0)))
    model.eval()
    table = summary(
        model,
        input_data=[features, lengths_of(features)],
        col_names=("output_size", "num_params"),
        col_width=WIDTH,
        depth=4,
        device="cpu",
        mode="eval",
        verbose=0,
    )
    layers, rule, _ = str(table).rpartition("\nTotal params")[0].rpartition("\n")
    heard = f"a window of {window} frames" if shape.kind == "sequence" else "a clip"
    return (
        f"{layers}{rule}{'=' * len(layers.splitlines()[0])}\nParameters: {table.total_params:,}\n"
        f"Multiply-adds of {heard}: {_multiply_adds(model, features):,}"
    )


def _multiply_adds(model: Classifier, features: torch.Tensor) -> int:
    """Counts matrix products, convolutions and attention. torchinfo's own count leaves out the
    positions of a linear layer over a sequence."""
    with FlopCounterMode(display=False) as counter:
        model(features, lengths_of(features))
    return int(counter.get_total_flops()) // 2
