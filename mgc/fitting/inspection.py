"""What a head looks like for the features of an extractor, without any dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mgc import resolve
from mgc.audio.clip_policy import ClipPolicy
from mgc.audio.clips import Clips
from mgc.features.extraction.one_file import apply
from mgc.features.extractor_spec import ExtractorSpec, shape_of
from mgc.fitting import check_fits
from mgc.heads.pooling import fit_pooling
from mgc.plugins.contract import FeatureShape
from mgc.training import describe_head
from mgc.training.head_spec import taken_kind

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
    clips = Clips(torch.from_numpy(wave)[None], source.info.sample_rate)
    [feature] = apply(source, clips, Path("(noise)"))
    if taken == "vector":
        return shape_of("vector", fit_pooling(source.kind, [feature])(feature)), 0
    frames = feature.shape[1] if source.kind == "sequence" else 0
    return shape_of(source.kind, feature), frames
