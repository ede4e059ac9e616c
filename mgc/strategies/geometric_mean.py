"""The geometric mean of the members' probabilities."""

from __future__ import annotations

import numpy as np

from mgc.plugins.params import NoParams
from mgc.strategies.calibration import NO_VETO, logits, softmax


class GeometricMean:
    """The normalised geometric mean: the mean of the members' logits.

    A genre that one member finds unlikely is hard for the others to rescue (though not impossible:
    see `calibration.NO_VETO`), so it suits members that know when they do not know; calibrate them
    if they may not.
    """

    Params = NoParams

    def __init__(self, params: NoParams, seed: int) -> None:
        self.params = params

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        return softmax(logits(members, NO_VETO).mean(0))
