"""What a review finds and gains: ``python -m benchmarks.review_circle DATASET [--artists]``.

Needs mgc-serve. In copies of a dataset 20 labels are planted wrong, single ones or, with
``--artists``, those of whole artists; runs of several extractors are fitted on the copy, the first
40 tracks of ``mgc review`` are answered by what the dataset said before, the labels are corrected,
the first extractor is fitted again on the same folds, and both runs are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from mgc_serve.review.session import Review

import mgc
from mgc.datasets import table
from mgc.datasets.table import Dataset
from mgc.errors import MgcError

PLANTED, SHOWN, FOLDS = 20, 40, 5


def planted(dataset: Dataset, name: str, seed: int, by_artist: bool) -> dict[str, str]:
    """Save a copy with wrong labels; track id → genre before, of those."""
    random, tracks = np.random.default_rng(seed), dataset.tracks.copy()
    order = list(random.permutation(len(tracks)))
    if by_artist:
        artists = list(random.permutation(tracks["artist"].unique()))
        mine = {artist: np.flatnonzero(tracks["artist"] == artist) for artist in artists}
        order = [row for artist in artists if 2 <= len(mine[artist]) <= 6 for row in mine[artist]]
    wrong = {artist: int(random.integers(1, len(dataset.genres))) for artist in tracks["artist"]}
    before = {}
    for row in order[:PLANTED]:
        step = (
            wrong[tracks["artist"][row]] if by_artist else random.integers(1, len(dataset.genres))
        )
        genre = before[tracks["track_id"][row]] = tracks["genre"][row]
        number = (dataset.genres.index(genre) + step) % len(dataset.genres)
        tracks.loc[row, "genre"] = dataset.genres[number]
    table.save(replace(dataset, name=name, tracks=tracks))
    return before


def circle(dataset: Dataset, extractors: Sequence[str], seed: int, by_artist: bool) -> str:
    """One line: what was found, and what it gained."""
    name = f"{dataset.name}-planted-{seed}{'-artists' if by_artist else ''}"
    wrong = planted(dataset, name, seed, by_artist)
    before, *_ = [mgc.fit(name, each, "logistic", folds=FOLDS, seed=seed) for each in extractors]
    review, truth = Review(name), dataset.tracks.set_index("track_id")["genre"]
    shown: list[str] = []
    while len(shown) < SHOWN and (first := review.state(1)["tracks"]):
        shown.append(first[0]["track_id"])
        review.answer(shown[-1], "genre", [truth[shown[-1]]])
    made = mgc.datasets.correct(name).record["corrections"]
    after = mgc.fit(name, extractors[0], "logistic", folds=FOLDS, seed=seed)
    rows = mgc.compare([before, after], reference=before.name).set_index("reference")
    old, new = rows.loc[True], rows.loc[False]
    return (
        f"{name}: {len(wrong.keys() & set(shown))} of {len(wrong)} found in {SHOWN}; "
        f"{made['changed']} corrected, {made['test_tracks_waiting']} wait in the test part; "
        f"{extractors[0]} {100 * old.accuracy:.1f} → {100 * new.accuracy:.1f} % by own labels; "
        f"on the same labels {100 * new.difference:+.1f} points "
        f"({100 * new.difference_low:+.1f} to {100 * new.difference_high:+.1f}, p = {new.p:.3f})"
    )


def main() -> None:
    """Print a line per seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("--extractors", nargs="+", default=["mfcc", "mel", "chroma"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--artists", action="store_true")
    given = parser.parse_args()
    for seed in range(given.seeds):
        dataset = mgc.datasets.load(given.dataset)
        try:
            line = circle(dataset, given.extractors, seed, given.artists)
        except MgcError as error:  # the planting may leave a genre too few artists
            line = f"seed {seed} cannot be fitted: {error}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
