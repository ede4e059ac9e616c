"""Temperature scaling: makes a confidence of 0.7 mean being right seven times out of ten.

Guo et al. 2017, "On Calibration of Modern Neural Networks": logits are divided by one
temperature T > 0, chosen to minimise the negative log-likelihood of tracks that the model has
not learnt from. A decision never changes, since the order of the genres does not.
"""

from __future__ import annotations

import numpy as np

#: Probabilities of 0 have no logarithm; all below this are treated alike.
MIN_PROBABILITY = 1e-7
#: ln T is drawn towards 0, as by a normal prior with this deviation: with only twenty tracks it
#: would be off by that much through chance alone; with hundreds the prior hardly matters.
PRIOR_DEVIATION = 0.3
MAX_TEMPERATURE = 10.0  # T stays in [1 / MAX_TEMPERATURE, MAX_TEMPERATURE]
#: If members' logits are averaged, none counts as more confident than a hundred to one: a member
#: that never saw a genre in training would otherwise rule it out for all others.
NO_VETO = 1e-2


def logits(probabilities: np.ndarray, smallest: float = MIN_PROBABILITY) -> np.ndarray:
    """Log-probabilities (…, genre), finite even for a probability of 0, which is raised to
    ``smallest``."""
    return np.asarray(np.log(np.clip(probabilities, smallest, None)))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities (…, genre) from logits; rows sum to 1."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def tempered(probabilities: np.ndarray, temperature: float | np.ndarray) -> np.ndarray:
    """Probabilities (…, genre) at a temperature: above 1 less confident, below 1 more.

    ``temperature`` broadcasts against the probabilities; where it is 1 they are unchanged.
    """
    scaled = softmax(logits(probabilities) / temperature)
    return np.where(np.asarray(temperature) == 1.0, probabilities, scaled)


def fit_temperature(
    probabilities: np.ndarray, genres: np.ndarray, groups: np.ndarray | None = None
) -> float:
    """The temperature at which (track, genre) probabilities make the true genres most likely.

    A posterior mode: see `PRIOR_DEVIATION`. Each of the ``groups`` (track,) counts once, however
    many tracks it has; without them, each track. 1 if there are no tracks.
    """
    if not len(genres):
        return 1.0
    weights = np.ones(len(genres))
    if groups is not None:
        _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        weights = 1 / sizes[numbers]
    from scipy.optimize import minimize_scalar

    scores = logits(probabilities)
    rows = np.arange(len(genres))

    def loss(log_temperature: float) -> float:
        scaled = scores / np.exp(log_temperature)
        highest = scaled.max(1)
        norm = highest + np.log(np.exp(scaled - highest[:, None]).sum(1))
        prior = (log_temperature / PRIOR_DEVIATION) ** 2 / 2
        return float(weights @ (norm - scaled[rows, genres]) + prior)

    bound = np.log(MAX_TEMPERATURE)
    found = minimize_scalar(loss, bounds=(-bound, bound), method="bounded")
    return float(np.exp(found.x))
