"""How well `unlike` tells music from what is not, beside methods that use a run's embeddings.

    python benchmarks/unknown.py --write        # the shipped textures of what is not music
    python benchmarks/unknown.py RUN...         # the table of docs/answers-unknown.md

Each kind of sound counts once. Half of the kinds, by turns, is kept from the machines that judge it.
Music is judged out of fold, with the limit of the other folds; intervals resample artists.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from mgc import runs
from mgc.audio.given import given
from mgc.datasets.synthesis.not_music import kinds, not_music
from mgc.features.extraction import extract, features_of
from mgc.features.extractor_spec import ExtractorSpec
from mgc.fitting import music_reference
from mgc.home import replace_file
from mgc.prediction.predictor import Predictor
from mgc.prediction.unlike import UNKNOWN, mean_texture
from mgc.runs import Run

SHIPPED_SEEDS, SEEDS = range(12), range(100, 104)
SECONDS = (30.0, 20.0, 10.0, 6.0)  # of the shipped sounds, by turns
NEIGHBOURS, COMPONENTS = 5, 50

Sound = tuple[np.ndarray, int]
#: (training, held out, sounds) of one fold → scores of the last two, the larger the less like music.
Method = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def write_shipped() -> None:
    """Write the textures that every reference is fitted with."""
    source = ExtractorSpec("texture")
    made, names = [], []
    for number, kind in enumerate(kinds()):
        for seed in SHIPPED_SEEDS:
            sound = not_music(kind, seed, SECONDS[seed % len(SECONDS)])
            made.append(mean_texture(features_of(given(sound), [source])["texture"]))
            names.append(number)
        print(kind, flush=True)
    content = {"textures": np.array(made, np.float32), "kinds": np.array(names, np.int16)}
    replace_file(music_reference.NOT_MUSIC, save(content, {"kinds": ", ".join(kinds())}))


if __name__ == "__main__":
    write_shipped()
