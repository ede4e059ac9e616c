"""The geometric mean of the members' probabilities."""

from __future__ import annotations

import numpy as np

from mgc.calibration import logits, softmax
from mgc.params import NoParams


class GeometricMean:
    """The normalised geometric mean: the mean of the members' logits.

    A genre that one member holds all but impossible is hard to save by the others, so it suits
    members that know when they do not know; calibrate them where they may not.
    """

    Params = NoParams

    def __init__(self, params: NoParams, seed: int) -> None:
        self.params = params

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        return softmax(logits(members).mean(0))
