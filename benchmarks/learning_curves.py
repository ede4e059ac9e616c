"""``python -m benchmarks.learning_curves --data A --data B``: from how many tracks does a head pay?

Each head learns from more and more tracks of a fold's training side (an eighth of them its
validation part, as in ``mgc fit``), drawn artist by artist with the shares of the genres kept, and
is scored on the fold's whole test part: folds by artist, averaged over folds, seeds and corpora.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgc import resolve
from mgc.datasets.splits import Fold
from mgc.fitting.prepared import Prepared, prepare
from mgc.progress import Silent
from mgc.training.fit import fit_head
from mgc.training.head_spec import HeadSpec

SIZES = (25, 50, 100, 200)
VALIDATION = 1 / 8  # of the tracks that a head is given


def drawn(tracks: np.ndarray, genres: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """``tracks`` in an order of which every beginning has about the same share of each genre, and
    whole groups, drawn at random."""
    random = np.random.default_rng(seed)
    place = random.permutation(groups.max() + 1)[groups[tracks]]
    depth = np.empty(len(tracks))
    for genre in np.unique(genres[tracks]):
        at = np.flatnonzero(genres[tracks] == genre)
        depth[at[np.argsort(place[at], kind="stable")]] = (np.arange(len(at)) + 0.5) / len(at)
    return tracks[np.argsort(depth, kind="stable")]


def accuracy(prepared: Prepared, fold: Fold, head: HeadSpec, tracks: int, seed: int) -> np.ndarray:
    """Whether a head that learnt from so many tracks is right (test track,)."""
    data = prepared.data
    train, validation = (
        drawn(rows, data.genres, data.groups, seed)[: max(1, round(tracks * share))]
        for rows, share in ((fold.training, 1 - VALIDATION), (fold.validation, VALIDATION))
    )
    with tempfile.TemporaryDirectory(prefix="mgc-learning-") as folder:
        fitted = fit_head(
            head, data, train, validation, seed=seed, folder=Path(folder), device="cpu"
        )
        answers, _ = fitted.predict_tracks(data, fold.test)
    return np.asarray(answers.argmax(1) == data.genres[fold.test])


def measure(
    prepared: Prepared, heads: Sequence[str], sizes: Sequence[int], seeds: int
) -> dict[str, dict[int, list[float]]]:
    """{head: {tracks: accuracy of each seed}}; the last size is that of all tracks."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for seed in range(seeds):
        folds = prepared.folds(5, seed)
        whole = round(np.mean([len(fold.training) + len(fold.validation) for fold in folds]))
        for size in [*(size for size in sizes if size < whole), whole]:
            for name in heads:
                asked = HeadSpec(name, {})
                right = [accuracy(prepared, fold, asked, size, seed) for fold in folds]
                found[name][size].append(float(np.concatenate(right).mean()))
                print(seed, size, name, f"{100 * found[name][size][-1]:.1f}", flush=True)
    return found


def draw(figures: dict[str, dict[str, dict[int, list[float]]]], path: Path) -> None:
    """One panel a corpus: accuracy over the number of tracks that were learnt from."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(figures), 3.4), layout="constrained")
    for axis, (corpus, heads) in zip(
        figure.subplots(1, len(figures), squeeze=False)[0], figures.items(), strict=True
    ):
        for name, sizes in heads.items():
            means = [100 * np.mean(values) for values in sizes.values()]
            axis.plot([int(size) for size in sizes], means, marker="o", label=name)
        axis.set(xscale="log", title=corpus, xlabel="tracks learnt from", ylabel="accuracy (%)")
        axis.set_xticks([int(size) for size in sizes], [str(size) for size in sizes])
        axis.minorticks_off()
        axis.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, print, write."""
    asked = argparse.ArgumentParser(
        prog="python -m benchmarks.learning_curves", description=__doc__
    )
    asked.add_argument("--data", action="append", required=True, help="a dataset at home")
    asked.add_argument("--extractor", default="mel")
    asked.add_argument("--head", action="append", help="default: logistic, cnn and attention")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--results", type=Path, help="a JSON file for the figures")
    asked.add_argument("--picture", type=Path, help="a PNG, SVG or PDF of the curves")
    given = asked.parse_args()
    heads = given.head or ["logistic", "cnn", "attention"]
    figures = {}
    for name in given.data:
        (source,) = resolve.sources([given.extractor], [], resolve.policy(None, None), "cpu")
        prepared = prepare(resolve.dataset(name), [source], Silent())[source.store.fingerprint]
        figures[name] = measure(prepared, heads, SIZES, given.seeds)
        if given.results:
            given.results.write_text(json.dumps(figures, indent=1))
    if given.picture:
        draw(figures, given.picture)


if __name__ == "__main__":
    main()
