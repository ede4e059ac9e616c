"""How often sets of genres hold the true one: ``python -m benchmarks.coverage RUN...`` prints the
tables of docs/answers-coverage.md.

The runs named have folds; those of one label on one dataset are its seeds. For each, sets are
calibrated on the other folds' tracks and measured on one fold's (`mgc.evaluation.coverage`).
A set promises a track by an artist not seen before, whoever it is, so the mean and its interval, a
bootstrap of artists, take each artist once. "Beta" is where the coverage of one calibration lies if
the sets are exact (Vovk 2012), by its number of artists in each genre.

``--unseen DATASET EXTRACTOR`` fits ``logistic`` afresh: a fifth of the artists is kept from all
folds of a run, which then answers for them as ``mgc predict`` does; five times, with three seeds.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy import stats
from sklearn.model_selection import StratifiedGroupKFold

from mgc import resolve
from mgc.evaluation.intervals import percentile_interval, resamples
from mgc.fitting.prepared import Prepared, prepare
from mgc.prediction.conformal_sets import Calibration, least_groups
from mgc.progress import Silent
from mgc.runs import Run, load_finished
from mgc.runs.held_out import held_out
from mgc.training.fit import fit_head
from mgc.training.head_spec import HeadSpec

COVERAGES = (0.8, 0.9, 0.95)
DRAWS = 10_000


Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
Found = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def crossed(run: Run, coverage: float) -> Found:
    """Whether each track's genre is in its set (track,), the sets' sizes (track,), the artists
    (track,), and coverages drawn from the Beta distributions of exact sets (draw,)."""
    rows = held_out(run, "test")
    inside, drawn = np.zeros(rows.shares.shape, bool), np.zeros(DRAWS)
    for fold in np.unique(rows.folds):
        here, other = rows.folds == fold, rows.folds != fold
        columns = rows.shares[other], rows.genres[other], rows.groups[other]
        known = Calibration(*columns, np.zeros(int(other.sum()), np.int64))
        inside[here] = known.inside(rows.shares[here][:, None], coverage)
        for genre, count in enumerate(np.bincount(rows.genres[here], minlength=len(run.genres))):
            drawn += count / len(rows.genres) * exact(known, genre, coverage)
    right = inside[np.arange(len(rows.genres)), rows.genres]
    return right, inside.sum(1), rows.groups, drawn


def exact(known: Calibration, genre: int, coverage: float) -> np.ndarray:
    """Coverages (draw,) of a genre by exact sets of as many artists, one track each.

    The draws of a genre are the same in all folds and seeds, which calibrate on nearly the same
    tracks.
    """
    joined = known.joined(coverage)
    category = int(joined[0]) if genre in joined else genre
    artists = known.groups_of(joined if genre in joined else [genre])
    if artists < least_groups(coverage):
        return np.ones(DRAWS)
    return _beta(category, artists, int((1 - coverage) * (artists + 1) + 1e-9))


@cache
def _beta(seed: int, artists: int, left_out: int) -> np.ndarray:
    places = np.random.default_rng(seed).random(DRAWS)
    return np.asarray(stats.beta.ppf(places, artists + 1 - left_out, left_out))


def of_artists(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The mean of each artist's tracks (artist,)."""
    numbers = np.unique(groups, return_inverse=True)[1]
    return np.bincount(numbers, values) / np.bincount(numbers)


def systems(names: Sequence[str]) -> dict[tuple[str, str], list[Run]]:
    """The runs of each dataset and label."""
    found = defaultdict(list)
    for run in map(load_finished, names):
        found[run.record.dataset.name, run.title].append(run)
    return found


def cell(each: Sequence[Found]) -> str:
    """What was found with each seed: the coverages, their mean, its interval, the genres in a
    set."""
    artists = np.array([of_artists(right, groups) for right, _, groups, _ in each])
    seeds = " ".join(f"{100 * share:.0f}" for share in artists.mean(1))
    drawn = [draw @ artists.mean(0) / draw.sum(1) for draw in resamples(artists.shape[1])]
    low, high = percentile_interval(np.concatenate(drawn))
    size = np.mean([one[1].mean() for one in each])
    interval = f"{100 * low:.1f}–{100 * high:.1f}"
    return f"{seeds}: **{100 * artists.mean():.1f}** ({interval}), {size:.1f}"


def beta(each: Sequence[Found]) -> str:
    """Where 95 % of the coverages of exact sets lie."""
    low, high = percentile_interval(np.mean([one[3] for one in each], 0))
    return f"{100 * low:.1f}–{100 * high:.1f}"


def show(data: str, title: str, found: Sequence[Sequence[Found]]) -> None:
    """Print a row of the table: what was found at each of the `COVERAGES`."""
    print(f"| {data} | {title} | {' | '.join(map(cell, found))} |", flush=True)


def unseen(data: str, extractor: str, seed: int, coverage: float) -> Found:
    """What `crossed` finds, for runs whose five folds all lack a fifth of the artists."""
    found = []
    for known, answers, truth, groups in _refitted(data, extractor, seed):
        inside = known.inside(answers, coverage)
        drawn = np.sum([exact(known, genre, coverage) for genre in truth], 0)
        found.append((inside[np.arange(len(truth)), truth], inside.sum(1), groups, drawn))
    right, sizes, owners, draws = zip(*found, strict=True)
    total = sum(map(len, right))
    return np.concatenate(right), np.concatenate(sizes), np.concatenate(owners), sum(draws) / total


@cache
def _refitted(data: str, extractor: str, seed: int) -> list[tuple[Calibration, *Arrays]]:
    """For each fifth of the artists: what a run without them is calibrated on, the answers (track,
    fold, genre) for their tracks, the true genres and the artists (track,)."""
    tracks, made = _prepared(data, extractor).data, []
    genres, groups = tracks.genres, tracks.groups
    for rest, kept in _fifths(genres, groups, seed):
        answers, shares = [], np.zeros((len(rest), tracks.n_genres))
        folds = np.zeros(len(rest), np.int64)
        for number, (own, other) in enumerate(_fifths(genres[rest], groups[rest], seed)):
            with TemporaryDirectory() as folder:
                training = HeadSpec("logistic"), tracks, rest[own], rest[other]
                fitted = fit_head(*training, seed=seed, folder=Path(folder), device="cpu")
            shares[other], folds[other] = fitted.predict_tracks(tracks, rest[other])[0], number
            answers.append(fitted.predict_tracks(tracks, kept)[0])
        known = Calibration(shares, genres[rest], groups[rest], folds)
        made.append((known, np.stack(answers, 1), genres[kept], groups[kept]))
    return made


def _fifths(genres: np.ndarray, groups: np.ndarray, seed: int) -> Iterator[Sequence[np.ndarray]]:
    cut = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    return cut.split(genres, genres, groups)


@cache
def _prepared(data: str, extractor: str) -> Prepared:
    (source,) = resolve.sources([extractor], None, resolve.policy(None, None), "cpu")
    return prepare(resolve.dataset(data), [source], Silent())[source.store.fingerprint]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--unseen", nargs=2, action="append", default=[])
    asked = parser.parse_args()
    print("| data | system | at 80 % | at 90 % | at 95 % |\n|---|---|---|---|---|")
    shown = set[str]()
    for (data, title), runs in systems(asked.runs).items():
        found = [[crossed(run, coverage) for run in runs] for coverage in COVERAGES]
        if data not in shown:
            shown.add(data)
            print(f"| {data} | exact sets (Beta) | {' | '.join(map(beta, found))} |")
        show(data, title, found)
    for data, extractor in asked.unseen:
        found = [[unseen(data, extractor, seed, c) for seed in range(3)] for c in COVERAGES]
        show(data, f"{extractor} · logistic", found)


if __name__ == "__main__":
    main()
