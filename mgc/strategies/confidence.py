"""The most confident member decides."""

from __future__ import annotations

import numpy as np

from mgc.plugins.params import NoParams


class Confidence:
    """For each track, the probabilities of the member with the highest top probability.

    Members that are equally confident are averaged. This trusts the members' own confidence:
    calibrate them first, or the most over-confident one decides everything.
    """

    Params = NoParams

    def __init__(self, params: NoParams, seed: int) -> None:
        self.params = params

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        confidence = members.max(2)
        surest = (confidence == confidence.max(0))[..., None]
        chosen: np.ndarray = (members * surest).sum(0) / surest.sum(0)
        return chosen
