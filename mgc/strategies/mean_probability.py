"""The mean of the members' probabilities."""

from __future__ import annotations

import numpy as np

from mgc.plugins.params import NoParams


class MeanProbability:
    """The arithmetic mean: the genre that the members hold likely on the whole.

    An over-confident member rules it; calibrate the members where that may be so.
    """

    Params = NoParams

    def __init__(self, params: NoParams, seed: int) -> None:
        self.params = params

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        mean: np.ndarray = members.mean(0)
        return mean
