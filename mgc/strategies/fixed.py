"""The strategies that learn nothing: a vote, means, and the most confident member."""

from __future__ import annotations

import numpy as np

from mgc.plugins.params import NoParams
from mgc.strategies.calibration import NO_VETO, logits, softmax


class _Fixed:
    """A strategy without parameters."""

    Params = NoParams

    def __init__(self, params: NoParams, seed: int) -> None:
        self.params = params


class MajorityVoting(_Fixed):
    """The genre with the most votes; a tie goes to the tied genre with the higher mean probability.

    The probabilities are the mean of those members that voted for the winner: that makes it their
    likeliest genre too, and members that agree completely give the answer each of them gives.
    """

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        choices = members.argmax(2)
        votes = (choices[..., None] == np.arange(members.shape[2])).sum(0)
        # Means differ by less than one vote, so they only break ties.
        winner = (votes + members.mean(0)).argmax(1)
        return _mean_where(members, choices == winner)


class MeanProbability(_Fixed):
    """The arithmetic mean: the genre that the members find likely overall.

    An over-confident member dominates it; calibrate the members if there may be one.
    """

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        return np.asarray(members.mean(0))


class GeometricMean(_Fixed):
    """The normalised geometric mean: the mean of the members' logits.

    A genre that one member finds unlikely is hard for the others to rescue (though not impossible:
    see `calibration.NO_VETO`), so it suits members that know when they do not know; calibrate them
    if they may not.
    """

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        return softmax(logits(members, NO_VETO).mean(0))


class Confidence(_Fixed):
    """For each track, the probabilities of the member with the highest top probability.

    Members that are equally confident are averaged. This trusts the members' own confidence:
    calibrate them first, or the most over-confident one decides everything.
    """

    def combine(self, members: np.ndarray) -> np.ndarray:
        """(member, track, genre) → (track, genre)."""
        confidence = members.max(2)
        return _mean_where(members, confidence == confidence.max(0))


def _mean_where(members: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The mean (track, genre) of the members that are ``chosen`` (member, track)."""
    there = chosen[..., None]
    return np.asarray((members * there).sum(0) / there.sum(0))
