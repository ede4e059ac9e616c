"""The most confident member decides."""

from __future__ import annotations

import numpy as np

from mgc.plugins.params import NoParams


class Confidence:
    """For each track, the probabilities of the member whose likeliest genre has the highest one.

    Members that are equally confident are averaged. It trusts what members say of themselves:
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
