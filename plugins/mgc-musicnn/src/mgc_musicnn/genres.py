"""The ready-made model ``musicnn-msd``: genres from the tags of the Million Song Dataset.

A genre's score is the mean logit of its tags, over the tags and the patches of 3 s; a share
`PRIOR` of each tag's logit at the mean of the training songs' features is taken off, since common
tags are likely for any song. A softmax of the scores, divided by `TEMPERATURE`, is the answer. All
this is linear in the extractor's penultimate features: it is a logistic regression on them, and
mgc's head ``logistic`` keeps it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mgc.heads.logistic import LinearClassifier, Logistic, LogisticParams
from mgc.prediction import ready_models
from mgc_musicnn import weights
from mgc_musicnn.plugin import GENRES
from mgc_musicnn.tags import MSD

PRIOR = 0.5
TEMPERATURE = 0.7


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
    mix /= TEMPERATURE * mix.sum(1, keepdims=True)  # (genre, tag)
    head = Logistic(LogisticParams(), 0)
    head.n_genres_, head.only_ = len(mix), None
    head.mean_, head.scale_ = state["dense_norm.bias"], np.abs(state["dense_norm.weight"])
    coef = mix @ state["output.weight"]
    # The score at the mean of the training songs' features, where the standardised ones are 0.
    intercept = (1 - PRIOR) * (coef @ head.mean_ + mix @ state["output.bias"])
    arrays = np.asfortranarray(coef * head.scale_, np.float32), intercept.astype(np.float32)
    head.estimator_ = LinearClassifier(*arrays, np.arange(len(mix)))
    return head
