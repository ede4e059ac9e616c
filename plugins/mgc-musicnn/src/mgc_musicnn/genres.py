"""The ready-made model ``musicnn-msd``: genres from the tags of the Million Song Dataset.

A genre's score is the mean of its tags' logits over the patches of 3 s and over the tags, each tag
less its mean over music at large; the scores, divided by a temperature, go through a softmax. The
tags' logits are linear in the extractor's penultimate features, so that this is a logistic
regression on them, and mgc's head ``logistic`` keeps it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mgc.heads.logistic import LinearClassifier, Logistic, LogisticParams
from mgc.prediction import ready_models
from mgc_musicnn import weights
from mgc_musicnn.plugin import GENRES
from mgc_musicnn.tags import MSD

TEMPERATURE = 1.0


def write_run(folder: Path, source: Path | None) -> None:
    """Write the run; the weights are fetched if they are not here, or if a file is given."""
    if source or not weights.path("msd").is_file():
        weights.fetch(source)
    ready_models.write_run(
        folder, "musicnn", "logistic", classifier(), features=200, genres=tuple(GENRES)
    )


def classifier() -> Logistic:
    """The head on penultimate features, from the network's last layer.

    The features are standardised by the scale and shift of the batch norm that makes them.
    """
    state = {
        name: tensor.double().numpy() for name, tensor in weights.load("msd").state_dict().items()
    }
    mix = np.array([[tag in tags for tag in MSD] for tags in GENRES.values()], float)
    mix /= TEMPERATURE * mix.sum(1, keepdims=True)
    head = Logistic(LogisticParams(), 0)
    head.n_genres_, head.only_ = len(mix), None
    head.mean_, head.scale_ = state["dense_norm.bias"], np.abs(state["dense_norm.weight"])
    coef = mix @ state["output.weight"]
    intercept = coef @ head.mean_ + mix @ state["output.bias"]
    arrays = np.asfortranarray(coef * head.scale_, np.float32), intercept.astype(np.float32)
    head.estimator_ = LinearClassifier(*arrays, np.arange(len(mix)))
    return head
