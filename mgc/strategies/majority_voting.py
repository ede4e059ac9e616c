"""Each member has one vote."""

from __future__ import annotations

import numpy as np

from mgc.plugins.params import NoParams


class MajorityVoting:
    """The genre with the most votes; a tie goes to the tied genre with the higher mean probability.

    The probabilities are the mean of those members that voted for the winner: that makes it their
    likeliest genre too, and members that agree completely give the answer each of them gives.
    """

    Params = NoParams

    def __init__(self, params: NoParams, seed: int) -> None:
        self.params = params

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        choices = members.argmax(2)
        votes = (choices[..., None] == np.arange(members.shape[2])).sum(0)
        # Means differ by less than one vote, so they only break ties.
        winner = (votes + members.mean(0)).argmax(1)
        with_winner = (choices == winner)[..., None]
        chosen: np.ndarray = (members * with_winner).sum(0) / with_winner.sum(0)
        return chosen
