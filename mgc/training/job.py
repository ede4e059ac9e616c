"""What a head is fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgc.heads.pooling import Pooling
from mgc.training.head_spec import HeadSpec
from mgc.training.track_data import TrackData
from mgc.training.tracking import Guarded


@dataclass(frozen=True)
class TrainingJob:
    """What is fitted, on which tracks (track numbers), and where the results go.

    ``pooling`` is that of the head's input, if it is pooled.
    """

    spec: HeadSpec
    data: TrackData
    train: np.ndarray
    validation: np.ndarray
    pooling: Pooling | None
    seed: int
    folder: Path
    tracker: Guarded
