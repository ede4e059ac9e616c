"""``python -m benchmarks.calibration --data A --data B``: is a run as right elsewhere as it says?

The fold runs of each dataset answer the tracks of the others whose genres both have (the mean over
the folds' heads, divided by the sum over these genres), as they are and at the temperature that
their own out-of-fold tracks give, each artist counted once. Runs and features must be at home:
``mgc fit --folds 5 --seeds N`` on each dataset.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np

import mgc
from benchmarks.accuracy import runs_of
from mgc import resolve
from mgc.fitting.prepared import Prepared, prepare
from mgc.progress import Silent
from mgc.runs.calibration_error import Answered, corrected_error
from mgc.strategies.calibration import fit_temperature, tempered
from mgc.training.fitted_head import restore_head


def own(run: mgc.Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Out-of-fold probabilities (track, genre), genre numbers and groups (track,)."""
    rows = run.rows("test")
    return run.probabilities(rows), run.truth(rows), rows["group"].to_numpy()


def elsewhere(run: mgc.Run, prepared: Prepared) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of the tracks of another dataset that have one of the run's genres: the mean over
    the folds' heads, of the shared genres alone."""
    mine, theirs = (
        [_merged(genre, other) for genre in genres]
        for genres, other in (
            (run.genres, prepared.dataset.genres),
            (prepared.kept["genre"], run.genres),
        )
    )
    shared = sorted({*mine} & {*theirs})
    tracks = np.flatnonzero(np.isin(theirs, shared))
    folders = sorted(run.folder.glob("fold-*"))
    made = [restore_head(f, "cpu").predict_tracks(prepared.data, tracks)[0] for f in folders]
    columns = np.mean(made, 0) @ np.array([[name == genre for genre in shared] for name in mine])
    truth = np.array([shared.index(theirs[track]) for track in tracks])
    return columns / columns.sum(1, keepdims=True), truth, prepared.data.groups[tracks]


def _merged(genre: str, others: Sequence[str]) -> str:
    """Pop and rock are one genre if the other dataset does not tell them apart."""
    return "poprock" if genre in ("pop", "rock") and "poprock" in others else genre


def figures(answers: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> str:
    """Cells of the table: accuracy, log loss, corrected calibration error with its interval."""
    right = [p.argmax(1) == y for p, y, _ in answers]
    losses = [-np.log(np.maximum(p[np.arange(len(y)), y], 1e-12)).mean() for p, y, _ in answers]
    asked = [
        Answered(p.max(1), hit.astype(float), np.unique(groups, return_inverse=True)[1])
        for (p, _, groups), hit in zip(answers, right, strict=True)
    ]
    error, low, high = corrected_error(asked)
    return f"{np.mean(losses):.3f} | {error:.3f} ({low:.2f}–{high:.2f})"


def rows(
    runs: Sequence[mgc.Run], name: str, others: dict[str, Prepared]
) -> Iterator[tuple[str, int, str]]:
    """(dataset answered, its tracks, figures) at home and elsewhere."""
    at_home = [own(run) for run in runs]
    scales = [fit_temperature(*answers) for answers in at_home]
    cases = {name: at_home} | {
        other: [elsewhere(run, prepared) for run in runs] for other, prepared in others.items()
    }
    for where, answers in cases.items():
        if len(answers[0][1]) and answers[0][0].shape[1] > 1:
            scaled = [(tempered(p, t), y, g) for (p, y, g), t in zip(answers, scales, strict=True)]
            right = np.mean([(p.argmax(1) == y).mean() for p, y, _ in answers])
            cells = f"{100 * right:.1f} | {figures(answers)} | {np.mean(scales):.2f} | "
            yield where, len(answers[0][1]), cells + figures(scaled)


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    asked.add_argument("--data", action="append", required=True, help="learns and is answered")
    asked.add_argument("--only-answered", action="append", default=[], help="has too few tracks")
    asked.add_argument("--extractor", action="append", help="default: mel, mfcc and chroma")
    asked.add_argument("--seeds", type=int, default=3)
    given = asked.parse_args()
    print("| learnt from | answers | tracks | accuracy % | log loss | ECE | T | log loss | ECE |")
    print("|---|---|--:|--:|--:|---|--:|--:|---|")
    for extractor in given.extractor or ["mel", "mfcc", "chroma"]:
        (source,) = resolve.sources([extractor], [], resolve.policy(None, None), "cpu")
        prepared = {
            name: prepare(resolve.dataset(name), [source], Silent())[source.store.fingerprint]
            for name in [*given.data, *given.only_answered]
        }
        for name in given.data:
            others = {other: found for other, found in prepared.items() if other != name}
            for where, tracks, cells in rows(
                runs_of(name, extractor, given.seeds, 5), name, others
            ):
                print(f"| {extractor}, {name} | {where} | {tracks} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
