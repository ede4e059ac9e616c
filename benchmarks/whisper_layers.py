"""``python -m benchmarks.whisper_layers --model FOLDER --data A --data B``: which layer of Whisper?

Every layer, their mean, a learned mixture and all of them side by side; the mean, the mean and
deviation, or mgc's statistics of the frames; frames of several lengths. Each is one row: logistic
regression as the head `logistic` fits it, its regularisation chosen in inner folds by artist, in
the outer folds of ``mgc fit --folds 5``, with several seeds on every corpus. Figures are those of
`benchmarks.accuracy`: a gain is paired by track, its interval resamples artists, and the pooled
gain is the mean over corpora.

The states are computed once and kept in ``--states``; 30 s of tiny's take 1.2 MB.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch
from sklearn.utils.class_weight import compute_sample_weight
from torch import Tensor
from torch.nn.functional import cross_entropy, layer_norm

from benchmarks import accuracy
from benchmarks.accuracy import Scores
from benchmarks.variants import Fold, Part, Variant, chosen, logistic
from mgc.datasets import splits
from mgc.datasets import table as tables
from mgc.extractors.whisper_weights import WhisperWeights
from mgc.features.extraction.one_file import rows_and_seconds
from mgc.features.extractor_spec import ExtractorSpec
from mgc.heads.estimator import MAX_DEVIATIONS
from mgc.heads.pooling import fit_pooling

STRIDE = 5  # positions of 20 ms averaged into a kept frame
FOLDS = 5
STEPS = 60  # of L-BFGS, for the learned mixture

View = Callable[[np.ndarray], np.ndarray]  # (layer, frame, feature) → (feature, frame)
#: The views of all tracks, the training rows → one vector a track.
Pool = Callable[[list[np.ndarray], np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Corpus:
    """A dataset's states, track by track (layer, frame, feature), and its folds seed by seed."""

    states: list[np.ndarray]
    genres: np.ndarray
    groups: np.ndarray
    folds: list[list[splits.Fold]]

    def cut(self, view: View, pool: Pool) -> Iterator[list[Fold]]:
        """The folds of each seed, standardised as the head does it."""
        seen = [view(states) for states in self.states]
        tracks = np.arange(len(seen))
        for seed, folds in enumerate(self.folds):
            made = []
            for fold in folds:
                features = standardised(pool(seen, fold.training), fold.training)
                parts = [
                    Part(features[at], self.genres[at], self.groups[at], tracks[at])
                    for at in (fold.training, fold.test)
                ]
                made.append(Fold(*parts, int(self.genres.max()) + 1, seed))
            yield made


def load(name: str, model: str, kept: Path, seeds: int) -> Corpus:
    """A dataset with its states; those that are not kept yet are computed."""
    dataset = tables.load(name)
    table = dataset.tracks
    layers = WhisperWeights(model).shape.encoder_layers + 1
    states = []
    for track, path in zip(table["track_id"], dataset.paths(), strict=True):
        file = kept / f"{name}-{quote(track, safe='')}.npy"  # an id may hold a slash
        if not file.exists():
            np.save(file, states_of(path, model, layers))
        states.append(np.load(file))
    by = dataset.record.get("group_by") or splits.default_grouping(table)
    folds = [splits.k_folds(table, FOLDS, by, seed) for seed in range(seeds)]
    genres = np.unique(table["genre"], return_inverse=True)[1]
    return Corpus(states, genres, splits.groups(table, by), folds)


def states_of(path: Path, model: str, layers: int) -> np.ndarray:
    """All states of a track's first clip, (layer, frame, feature) float16."""
    given = {"model": model, "stride": STRIDE, "precision": "fp32"}
    sources = [ExtractorSpec("whisper", {**given, "layer": n}) for n in range(layers)]
    return np.stack([rows[0].T for rows in rows_and_seconds(path, sources)[0]]).astype(np.float16)


def layer(number: int, stride: int = 2) -> View:
    """One layer; ``stride`` kept frames are averaged."""
    return lambda states: strided(states[number].astype(np.float32), stride)


def mean(stride: int = 2) -> View:
    """The mean of all blocks' outputs, each at unit variance, as the extractor's ``mean``."""

    def view(states: np.ndarray) -> np.ndarray:
        blocks = torch.from_numpy(states[1:].astype(np.float32))
        return strided(layer_norm(blocks, blocks.shape[-1:]).mean(0).numpy(), stride)

    return view


def every(states: np.ndarray) -> np.ndarray:
    """All layers as one (layer × feature, frame)."""
    return states.astype(np.float32).transpose(0, 2, 1).reshape(-1, states.shape[1])


def strided(frames: np.ndarray, stride: int) -> np.ndarray:
    """(frame, feature) → (feature, frame) with ``stride`` frames averaged into one."""
    count = max(1, len(frames) // stride)
    parts = np.array_split(frames[: count * stride], count)
    return np.stack([part.mean(0) for part in parts], 1)


def means(seen: list[np.ndarray], _: np.ndarray) -> np.ndarray:
    """The mean of every row over time, as mgc pools an encoder's states."""
    return np.stack([frames.mean(1) for frames in seen])


def moments(seen: list[np.ndarray], _: np.ndarray) -> np.ndarray:
    """Mean and deviation of every row over time."""
    return np.stack([np.concatenate([frames.mean(1), frames.std(1)]) for frames in seen])


def statistics(seen: list[np.ndarray], training: np.ndarray) -> np.ndarray:
    """mgc's pooling of any other sequence, its whitening learnt from the training tracks."""
    pooling = fit_pooling("sequence", (seen[row] for row in training))
    return np.stack([pooling(frames) for frames in seen])


def both(seen: list[np.ndarray], training: np.ndarray) -> np.ndarray:
    """mgc's statistics beside the mean of every row."""
    return np.concatenate([statistics(seen, training), means(seen, training)], 1)


def standardised(features: np.ndarray, training: np.ndarray) -> np.ndarray:
    """As the head `logistic` scales and clips them (track, dimension)."""
    known = features[training]
    deviation = known.std(0, dtype=np.float64)
    scaled = (features - known.mean(0, dtype=np.float64)) / np.where(deviation > 1e-9, deviation, 1)
    return np.asarray(scaled.clip(-MAX_DEVIATIONS, MAX_DEVIATIONS))


def rotated(fold: Fold) -> Fold:
    """The same fold in the space that its training tracks span: the same regression, sooner."""
    axes = np.linalg.svd(fold.train.features, full_matrices=False)[2]
    parts = [
        Part(part.features @ axes.T, part.genres, part.groups, part.tracks)
        for part in (fold.train, fold.test)
    ]
    return Fold(*parts, fold.n_genres, fold.seed)


def linear(fold: Fold) -> np.ndarray:
    """Logistic regression, C chosen in inner folds."""
    return chosen(rotated(fold))


def fixed(fold: Fold) -> np.ndarray:
    """Logistic regression with the head's own C."""
    return logistic(rotated(fold))


def mixture(fold: Fold, layers: int) -> np.ndarray:
    """A weight for each layer, learnt together with the regression on their mixture."""
    return chosen(fold, partial(mixed, layers=layers))


def mixed(fold: Fold, c: float, layers: int) -> np.ndarray:
    """Mixture of layers and regression by L-BFGS, with the loss and penalty of `logistic`."""
    known, asked = (
        torch.tensor(part.features.reshape(len(part.features), layers, -1), dtype=torch.float32)
        for part in (fold.train, fold.test)
    )
    genres = torch.from_numpy(fold.train.genres)
    balance = compute_sample_weight("balanced", fold.train.genres).astype(np.float32)
    weights = torch.from_numpy(balance)
    scores = torch.zeros(layers, requires_grad=True)
    axes = torch.zeros(known.shape[2], fold.n_genres, requires_grad=True)
    bias = torch.zeros(fold.n_genres, requires_grad=True)
    search = torch.optim.LBFGS([scores, axes, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def logits(features: Tensor) -> Tensor:
        return torch.einsum("tld,l->td", features, scores.softmax(0)) @ axes + bias

    def loss() -> Tensor:
        search.zero_grad()
        wrong = cross_entropy(logits(known), genres, reduction="none") @ weights
        total = c * wrong + axes.square().sum() / 2
        total.backward()
        return total

    search.step(loss)
    with torch.no_grad():
        return logits(asked).softmax(1).numpy()


def rows(layers: int) -> dict[str, tuple[View, Pool, Variant]]:
    """What is compared; the first is what the others are held against."""
    asked: dict[str, tuple[View, Pool, Variant]] = {"mean of layers: mean": (mean(), means, linear)}
    views = {f"layer {n}": partial(layer, n) for n in range(layers)} | {"mean of layers": mean}
    pools = {"mean": means, "mean and deviation": moments, "statistics": statistics}
    for name, view in views.items():
        for pooled, pool in pools.items():
            asked[f"{name}: {pooled}"] = (view(), pool, linear)
    asked["all layers side by side: mean"] = (every, means, linear)
    asked["all layers side by side: mean and deviation"] = (every, moments, linear)
    asked["learned mixture of layers: mean"] = (every, means, partial(mixture, layers=layers))
    for frames in (1, 5, 10):
        name = f"mean of layers: statistics of frames of {frames * STRIDE / 50} s"
        asked[name] = (mean(frames), statistics, linear)
    asked["mean of layers: statistics beside the mean"] = (mean(), both, linear)
    asked["mean of layers: mean, C fixed"] = (mean(), means, fixed)
    asked["mean of layers: statistics, C fixed"] = (mean(), statistics, fixed)
    return asked


def scored(corpus: Corpus, view: View, pool: Pool, variant: Variant) -> Scores:
    """One row on one corpus."""
    return accuracy.scores([(folds, variant) for folds in corpus.cut(view, pool)])


def main() -> None:
    """Measure, print, write."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.whisper_layers", description=__doc__)
    asked.add_argument("--model", required=True, help="a folder in Hugging Face's format")
    asked.add_argument("--data", action="append", required=True, help="a dataset at home")
    asked.add_argument("--states", type=Path, default=Path("bench-results/whisper-states"))
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--results", type=Path, help="a JSON file for the figures")
    given = asked.parse_args()
    given.states.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    corpora = [load(name, given.model, given.states, given.seeds) for name in given.data]
    found: dict[str, list[Scores]] = {}
    wanted = rows(len(corpora[0].states[0]))
    for name, row in wanted.items():
        found[name] = [scored(corpus, *row) for corpus in corpora]
        figures = " ".join(f"{100 * s.right.mean():.1f} ({s.f1.mean():.2f})" for s in found[name])
        print(f"{name}: {figures}", flush=True)
    print("\n" + accuracy.table("whisper", found, next(iter(wanted)), given.data))
    if given.results:
        figures = {
            name: [{"accuracy": s.right.mean(1).tolist(), "f1": s.f1.tolist()} for s in scores]
            for name, scores in found.items()
        }
        given.results.write_text(json.dumps({"data": given.data, "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
