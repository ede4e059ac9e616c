"""What a head consists of, for `mgc heads show NAME --for EXTRACTOR`."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode
from torchinfo import summary

from mgc.errors import UsageError
from mgc.heads.pooling import COMPONENTS
from mgc.plugins.contract import FeatureShape
from mgc.training.batches import MIN_WINDOW
from mgc.training.classifier import Classifier, Normalisation
from mgc.training.head_spec import HeadSpec
from mgc.training.scoring import lengths_of

WIDTH = 18  # characters per column


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
    return "\n".join(
        [
            layers + rule + "=" * len(layers.splitlines()[0]),
            f"Parameters: {table.total_params:,}",
            f"Multiply-adds of {_what(shape, window)}: {_multiply_adds(model, features):,}",
        ]
    )


def _what(shape: FeatureShape, window: int) -> str:
    return f"a window of {window} frames" if shape.kind == "sequence" else "a clip"


def _multiply_adds(model: Classifier, features: torch.Tensor) -> int:
    """Counts matrix products, convolutions and attention. torchinfo's own count leaves out the
    positions of a linear layer over a sequence."""
    with FlopCounterMode(display=False) as counter:
        model(features, lengths_of(features))
    return int(counter.get_total_flops()) // 2
