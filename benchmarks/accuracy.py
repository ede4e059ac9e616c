"""``python -m benchmarks.accuracy --data A --data B``: what each default gains, over corpora.

Each default (regularisation, class weights, pooled statistics, head, ensemble strategy) is one row:
what changes if it is left out or replaced, in accuracy and macro F1, with five folds by artist and
several seeds on every corpus. A gain is paired by track; its 95 % interval resamples artists within
each corpus, and the pooled gain is the mean over corpora, so that none decides by its size. What is
chosen, is chosen inside a fold's training part.

The runs of the default head are made in the user's home if they are not there; the variants are
fitted on the features that these runs hold (the pooled statistics, standardised by the fold's
training part), which takes seconds a row.

Any dataset at home will do; its genres need ten tracks each for five folds to hold some of each, so
FMA's 32-clip sample is too small. One without known artists has tracks as units.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score

import mgc
from benchmarks.variants import VARIANTS, Fold, Part, Variant
from mgc import runs as run_folders

DRAWS = 2_000
STRATEGIES = (
    "majority-voting", "mean-probability", "confidence", "geometric-mean",
    "weighted", "greedy", "stacking", "auto",
)  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """What a row reached on a corpus, seed by seed: right (seed, track) in the order of the track
    ids, macro F1 (seed,), and the artist of each track."""

    right: np.ndarray
    f1: np.ndarray
    groups: np.ndarray


def folds(run: mgc.Run, seed: int) -> Iterator[Fold]:
    """The folds of a run, with the tracks that its own head learnt from and was tested on."""
    table = run.predictions
    genres = run.truth(table)
    groups = table["group" if "group" in table else "track_id"].to_numpy()
    tracks = table["track_id"].to_numpy()
    for fold in sorted(table["fold"].unique()):
        parts = []
        for names in (run.record.learns, ["test"], ["training"]):
            at = ((table["fold"] == fold) & table["part"].isin(names)).to_numpy()
            parts.append(Part(run.embeddings[at], genres[at], groups[at], tracks[at]))
        yield Fold(parts[0], parts[1], len(run.genres), seed, parts[2])


def runs_of(data: str, extractor: str, seeds: int, count: int) -> list[mgc.Run]:
    """The default runs of an extractor, one a seed; those that are missing are made."""
    found: dict[int, mgc.Run] = {}
    for run in run_folders.everything()[0]:
        record = run.record
        if (
            (record.kind, record.state, record.dataset.name) == ("single", "finished", data)
            and record.extractor.name == extractor
            and record.head.name == "logistic"
            and "validation" in record.learns
            and not record.head.settings
            and not record.extractor.settings
            and record.dataset.folds == count
        ):
            found[record.seed] = run
    for seed in range(seeds):
        if seed not in found:
            print(f"fitting {extractor} on {data}, seed {seed} …", flush=True)
            found[seed] = mgc.fit(data, extractor, "logistic", folds=count, seed=seed)
    return [found[seed] for seed in range(seeds)]


def scored(runs: Sequence[mgc.Run], variant: Variant) -> Scores:
    """One variant on one corpus and extractor."""
    return scores([(list(folds(run, seed)), variant) for seed, run in enumerate(runs)])


def scores(asked: Sequence[tuple[Sequence[Fold], Variant]]) -> Scores:
    right, f1, groups = [], [], np.empty(0)
    for parts, variant in asked:
        said = np.concatenate([variant(fold).argmax(1) for fold in parts])
        truth = np.concatenate([fold.test.genres for fold in parts])
        order = np.argsort(np.concatenate([fold.test.tracks for fold in parts]))
        groups = np.concatenate([fold.test.groups for fold in parts])[order]
        right.append((said == truth)[order])
        f1.append(f1_score(truth, said, average="macro"))
    return Scores(np.stack(right), np.array(f1), groups)


def combined(members: Sequence[Sequence[mgc.Run]], strategy: str) -> Scores:
    """One strategy over the extractors, seed by seed."""
    made = [mgc.ensemble(strategy, group) for group in zip(*members, strict=True)]
    return scores([_answered(run) for run in made])


def _answered(run: mgc.Run) -> tuple[list[Fold], Variant]:
    """A run's own answers, as a variant."""
    table = run.predictions[run.predictions["part"] == "test"]
    groups = table["group" if "group" in table else "track_id"].to_numpy()
    part = Part(np.empty(0), run.truth(table), groups, table["track_id"].to_numpy())
    return [Fold(part, part, len(run.genres), 0)], lambda _: run.probabilities(table)


def gain(row: Sequence[Scores], default: Sequence[Scores]) -> tuple[float, float, float, float]:
    """Mean gain over corpora in accuracy (points), its 95 % interval, and the gain in macro F1."""
    random = np.random.default_rng(0)
    drawn = np.zeros(DRAWS)
    for one, other in zip(row, default, strict=True):
        difference = one.right.mean(0) - other.right.mean(0)
        _, numbers = np.unique(one.groups, return_inverse=True)
        totals, counts = np.bincount(numbers, difference), np.bincount(numbers)
        draws = random.multinomial(len(totals), np.full(len(totals), 1 / len(totals)), DRAWS)
        drawn += (draws @ totals) / (draws @ counts) / len(row)
    mean = np.mean([a.right.mean() - b.right.mean() for a, b in zip(row, default, strict=True)])
    low, high = np.quantile(drawn, [0.025, 0.975])
    f1 = np.mean([a.f1.mean() - b.f1.mean() for a, b in zip(row, default, strict=True)])
    return 100 * float(mean), 100 * float(low), 100 * float(high), float(f1)


def table(title: str, rows: dict[str, list[Scores]], reference: str, corpora: list[str]) -> str:
    """Accuracy and macro F1 on each corpus, and the pooled gain, as Markdown."""
    head = [title, *corpora, "gain (points)", "95 % interval", "macro F1"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, scores in rows.items():
        figures = [f"{100 * s.right.mean():.1f} ({s.f1.mean():.2f})" for s in scores]
        mean, low, high, f1 = gain(scores, rows[reference])
        cells = [name, *figures, f"{mean:+.1f}", f"{low:+.1f} to {high:+.1f}", f"{f1:+.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    asked.add_argument("--data", action="append", required=True, help="a dataset at home")
    asked.add_argument("--extractor", action="append", help="default: mel, mfcc and chroma")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--folds", type=int, default=5)
    asked.add_argument("--results", type=Path, help="a JSON file for the figures")
    given = asked.parse_args()
    extractors = given.extractor or ["mel", "mfcc", "chroma"]
    runs = {
        (data, extractor): runs_of(data, extractor, given.seeds, given.folds)
        for data in given.data
        for extractor in extractors
    }
    found: dict[str, dict[str, list[Scores]]] = {}
    for extractor in extractors:
        rows = {}
        for name, variant in VARIANTS.items():
            try:
                rows[name] = [scored(runs[data, extractor], variant) for data in given.data]
            except ValueError as error:
                print(f"left out for {extractor}: {name} ({error})")
        found[extractor] = rows
        print("\n" + table(extractor, rows, "default", given.data), flush=True)
    if len(extractors) > 1:
        rows = {
            extractor: [found[extractor]["default"][n] for n in range(len(given.data))]
            for extractor in extractors
        }
        best = max(rows, key=lambda name: np.mean([s.right.mean() for s in rows[name]]))
        for strategy in STRATEGIES:
            rows[strategy] = [
                combined([runs[data, extractor] for extractor in extractors], strategy)
                for data in given.data
            ]
        found["strategies"] = rows
        print("\n" + table(f"strategies, against {best}", rows, best, given.data))
    if given.results:
        figures = {
            title: {
                name: [{"accuracy": s.right.mean(1).tolist(), "f1": s.f1.tolist()} for s in scores]
                for name, scores in rows.items()
            }
            for title, rows in found.items()
        }
        given.results.write_text(json.dumps({"data": given.data, "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
