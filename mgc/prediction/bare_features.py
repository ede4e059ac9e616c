"""The features of one piece of audio, as an extractor makes them: ``mgc.extract``."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgc import resolve
from mgc.audio.given import given
from mgc.features.extraction.one_file import clip_arrays


def extract(
    audio: object,
    extractor: str,
    *,
    clip_seconds: float | None = None,
    clips_per_track: int | None = None,
    device: str = "cpu",
    **params: Any,
) -> np.ndarray:
    """The features of one piece of audio, as an extractor makes them.

    Args:
        audio: a path, a binary file object, or (samples, sample rate in Hz); the forms are
            described at `mgc.audio.given.given`.
        extractor: its name, such as ``mel``.
        clip_seconds: the length of a clip; None is 30.
        clips_per_track: the most clips to take, spread evenly over the track; None is 4.
        device: where the extractor runs.
        params: the extractor's own parameters.

    Returns:
        float32 (clip, feature, frame) of a sequence, (clip, feature) of a vector or
        (clip, layer, feature) of layers. A sequence is NaN beyond the end of a clip that is
        shorter than the others, which happens if a file ends before its header says.

    Raises:
        UsageError: the extractor or a parameter is unknown.
        AudioError: the audio cannot be used.
    """
    policy = resolve.policy(clip_seconds, clips_per_track)
    (source,) = resolve.sources(
        [extractor], resolve.assignments(params), policy, resolve.device(device)
    )
    return clip_arrays(given(audio), source)
