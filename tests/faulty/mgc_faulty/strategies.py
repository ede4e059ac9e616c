"""Strategies, sound but for one thing each."""

import numpy as np


class Mean:
    """The mean: nothing wrong with it."""

    def __init__(self, params, seed):
        pass

    def combine(self, members):
        return members.mean(0)


class Unnormalised(Mean):
    def combine(self, members):
        return members.prod(0)


class FirstWins(Mean):
    def combine(self, members):
        return 0.8 * members[0] + 0.2 * members.mean(0)


class NanMean(Mean):
    def combine(self, members):
        made = np.nanmean(members, 0)
        return made / made.sum(1, keepdims=True)


class AcrossTracks(Mean):
    def combine(self, members):
        made = members.mean(0) / members.mean((0, 1))
        return made / made.sum(1, keepdims=True)


class FavouriteGenre(Mean):
    def combine(self, members):
        made = members.mean(0) * np.linspace(1, 2, members.shape[2])
        return made / made.sum(1, keepdims=True)


class Forgets(Mean):
    """Learns weights, but keeps only half of what it learnt in its state."""

    def fit(self, members, genres, groups, n_genres):
        right = (members.argmax(2) == genres).mean(1)
        self.weights = right / right.sum()
        return self

    def combine(self, members):
        return np.tensordot(self.weights, members, 1)

    def state(self):
        return {"weights": np.round(self.weights, 1)}

    def restore(self, state):
        self.weights = state["weights"] / state["weights"].sum()
        return self
