"""The mean of the members' probabilities."""

from __future__ import annotations

import numpy as np

from mgc.plugins.params import NoParams


class MeanProbability:
    """The arithmetic mean: the genre that the members find likely overall.

    An over-confident member dominates it; calibrate the members if there may be one.
    """

    Params = NoParams

    def __init__(self, params: NoParams, seed: int) -> None:
        self.params = params

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        mean: np.ndarray = members.mean(0)
        return mean
