"""Features of waveforms that are already in memory: windows of a file, or altered clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mgc.audio import decoding
from mgc.audio.clips import Clips
from mgc.audio.given import Audio
from mgc.features.extraction.gpu import padded
from mgc.features.extraction.one_file import Rows, apply
from mgc.features.extraction.tasks import one_thread
from mgc.features.extractor_spec import ExtractorSpec


def features_of_waves(
    sources: Sequence[ExtractorSpec], audio: Audio, waves: Sequence[np.ndarray], rate: int
) -> list[Rows]:
    """For each source, the features of every waveform (sample,) at ``rate`` Hz, as they are stored.

    Raises AudioError, naming ``audio``, if an extractor fails.
    """
    clips: dict[tuple[int, str], Clips] = {}
    made = []
    with one_thread():
        for source in sources:
            key = source.info.sample_rate, source.device
            if key not in clips:
                clips[key] = padded([decoding.resample(w, rate, key[0]) for w in waves], *key)
            made.append(apply(source, clips[key], audio))
    return made
