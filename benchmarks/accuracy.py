"""``python -m benchmarks.accuracy --data A --data B``: what each default gains, over corpora.

Each default (regularisation, class weights, coefficients, whitened rows, pooled statistics, head,
ensemble strategy) is one row: what changes if it is left out or replaced, in accuracy and macro F1,
with five folds by artist and several seeds on every corpus; temperatures, which change no decision,
are rows of log loss and calibration error. A gain is paired by track; its 95 % interval resamples
artists within each corpus, and the pooled gain is the mean over corpora, so that none decides by
its size. With several extractors, a last table has the rows that all of them have, averaged over
the extractors. What is chosen, is chosen inside a fold's training part.

The runs of the default head are made in the user's home if they are not there; the variants are
fitted on the features that these runs hold (the pooled statistics, standardised by the fold's
training part) or on stored features pooled again, which takes seconds a row (minutes for
gradient-boosting). ``--row`` measures only some of them.

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
from benchmarks.gains import pooled_gain
from benchmarks.pooled_again import POOLED_AGAIN
from benchmarks.temperatures import TEMPERATURES, calibration_table
from benchmarks.variants import VARIANTS, Fold, Part, Variant
from mgc import runs as run_folders

STRATEGIES = (
    "majority-voting", "mean-probability", "confidence", "geometric-mean",
    "weighted", "greedy", "stacking", "auto",
    "mean-probability, calibrated", "geometric-mean, calibrated", "confidence, calibrated",
)  # fmt: skip
ROWS = VARIANTS | POOLED_AGAIN


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
        source = run.record.dataset.name, run.record.extractor.name
        yield Fold(parts[0], parts[1], len(run.genres), seed, parts[2], source)


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
    name, _, calibrated = strategy.partition(", ")
    groups = zip(*members, strict=True)
    made = [mgc.ensemble(name, group, calibrate=bool(calibrated)) for group in groups]
    return scores([_answered(run) for run in made])


def _answered(run: mgc.Run) -> tuple[list[Fold], Variant]:
    """A run's own answers, as a variant."""
    table = run.predictions[run.predictions["part"] == "test"]
    groups = table["group" if "group" in table else "track_id"].to_numpy()
    part = Part(np.empty(0), run.truth(table), groups, table["track_id"].to_numpy())
    return [Fold(part, part, len(run.genres), 0)], lambda _: run.probabilities(table)


def gain(row: Sequence[Scores], default: Sequence[Scores]) -> tuple[float, float, float, float]:
    """Mean gain over corpora in accuracy (points), its 95 % interval, and the gain in macro F1."""
    pairs = [
        (a.right.mean(0) - b.right.mean(0), a.groups) for a, b in zip(row, default, strict=True)
    ]
    mean, low, high = pooled_gain(pairs)
    f1 = np.mean([a.f1.mean() - b.f1.mean() for a, b in zip(row, default, strict=True)])
    return 100 * mean, 100 * low, 100 * high, float(f1)


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


def together(rows: Sequence[dict[str, list[Scores]]]) -> dict[str, list[Scores]]:
    """The rows that all extractors have, each corpus's answers of all of them side by side."""
    shared = [name for name in rows[0] if all(name in others for others in rows)]
    return {
        name: [
            Scores(
                np.concatenate([s.right for s in scores]),
                np.concatenate([s.f1 for s in scores]),
                scores[0].groups,
            )
            for scores in zip(*(each[name] for each in rows), strict=True)
        ]
        for name in shared
    }


def variant_rows(
    runs: Sequence[Sequence[mgc.Run]], names: Sequence[str]
) -> dict[str, list[Scores]]:
    """The default and the variants of these names, for one extractor's runs on each corpus."""
    rows = {}
    for name in ["default", *(name for name in ROWS if name in names and name != "default")]:
        try:
            rows[name] = [scored(on_corpus, ROWS[name]) for on_corpus in runs]
        except ValueError as error:
            print(f"left out: {name} ({error})")
    return rows


def main() -> None:
    """Measure, print, write."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    asked.add_argument("--data", action="append", required=True, help="a dataset at home")
    asked.add_argument("--extractor", action="append", help="default: mel, mfcc and chroma")
    every = [*ROWS, *TEMPERATURES, *STRATEGIES]
    asked.add_argument("--row", action="append", choices=every, metavar="NAME", help="default: all")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--folds", type=int, default=5)
    asked.add_argument("--results", type=Path, help="a JSON file for the figures")
    given = asked.parse_args()
    names = given.row or every
    extractors = given.extractor or ["mel", "mfcc", "chroma"]
    runs = {
        extractor: [runs_of(data, extractor, given.seeds, given.folds) for data in given.data]
        for extractor in extractors
    }
    found = {}
    for extractor in extractors:
        found[extractor] = variant_rows(runs[extractor], names)
        print("\n" + table(extractor, found[extractor], "default", given.data), flush=True)
        if temperatures := [name for name in TEMPERATURES if name in names]:
            print("\n" + calibration_table(extractor, runs[extractor], temperatures, given.data))
    if len(extractors) > 1:
        rows = together([found[extractor] for extractor in extractors])
        found["all together"] = rows
        print("\n" + table("all together", rows, "default", given.data), flush=True)
    strategies = [name for name in STRATEGIES if name in names]
    if len(extractors) > 1 and strategies:
        rows = {extractor: found[extractor]["default"] for extractor in extractors}
        best = max(rows, key=lambda name: np.mean([s.right.mean() for s in rows[name]]))
        for strategy in strategies:
            members = zip(*(runs[extractor] for extractor in extractors), strict=True)
            rows[strategy] = [combined(group, strategy) for group in members]
        found["strategies"] = rows
        print("\n" + table(f"strategies, against {best}", rows, best, given.data))
    if given.results:
        given.results.write_text(as_json(given.data, found))


def as_json(data: Sequence[str], found: dict[str, dict[str, list[Scores]]]) -> str:
    """Accuracy and macro F1 of each seed."""
    figures = {
        title: {
            name: [{"accuracy": s.right.mean(1).tolist(), "f1": s.f1.tolist()} for s in scores]
            for name, scores in rows.items()
        }
        for title, rows in found.items()
    }
    return json.dumps({"data": data, "figures": figures}, indent=1)


if __name__ == "__main__":
    main()
