"""The corrected calibration error against known truths and the method's own definition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from mgc.evaluation.compare import compare
from mgc.evaluation.systems import systems
from mgc.reporting import plots
from mgc.runs import load
from mgc.runs.calibration_error import (
    EQUAL_BINS,
    NAMES,
    Answered,
    calibration_of_run,
    corrected_error,
)
from tests.conftest import Told
from tests.evaluation.made_runs import made_run


def test_each_place_shows_the_corrected_error(mgc_home: Path, mgc: Callable[..., Told]) -> None:
    for name in ("mel", "mfcc"):
        made_run(name, artists=[f"artist {i // 4}" for i in range(60)])
    names = ["made-up-mel-logistic-1", "made-up-mfcc-logistic-1"]
    assert mgc("ensemble", "confidence", *names).code == 0
    shown = mgc("ensemble", "mean-probability", *names).out
    for name in (*names, "made-up-confidence-1", "made-up-mean-probability-1"):
        run = load(name)
        (row,) = compare(systems([run]), resamples=1).rows
        assert calibration_of_run(run) == pytest.approx({key: row[key] for key in NAMES})
        said = f"{row['ece_corrected']:.3f} ({row['ece_low']:.2f}–{row['ece_high']:.2f})"
        assert said != f"{row['ece']:.3f}"
        assert f"ECE {said}" in mgc("runs", "show", name).out
        assert f"calibration error {said}" in mgc("plot", "calibration", name).out
        (axis,) = plots.calibration([("one", run)]).axes
        assert axis.get_title() == f"one\nECE {said}"
    assert said in shown


def answers(random: np.random.Generator, artists: int, per: int, excess: float) -> Answered:
    """Answers of a system that is right ``excess`` less often than it claims, with artists whose
    tracks are hard or easy together."""
    groups = np.repeat(np.arange(artists), 1 + random.poisson(per - 1, artists))
    confidence = 0.45 + 0.5 * random.beta(3, 2, len(groups))
    artist, track = random.standard_normal(artists)[groups], random.standard_normal(len(groups))
    right = norm.cdf(0.5 * artist + 0.75**0.5 * track) < confidence - excess
    return Answered(confidence, right.astype(float), groups)


def many(artists: int, per: int, excess: float) -> Iterator[tuple[tuple[float, ...], float]]:
    random = np.random.default_rng(7)
    for _ in range(150):
        made = answers(random, artists, per, excess)
        yield corrected_error([made]), plain(made)


def plain(run: Answered) -> float:
    """The uncorrected error over bins of equally many tracks."""
    gaps = np.array_split((run.confidence - run.right)[run.confidence.argsort()], EQUAL_BINS)
    return float(np.abs([part.sum() for part in gaps]).sum() / len(run.right))


@pytest.mark.parametrize(("artists", "per"), [(40, 1), (80, 3)])
@pytest.mark.parametrize("excess", [0.0, 0.1, 0.25])
def test_it_is_nearer_to_the_truth_and_its_interval_holds_it(
    artists: int, per: int, excess: float
) -> None:
    made = list(many(artists, per, excess))
    errors = np.array([error for error, _ in made])
    covered = (errors[:, 1] <= excess) & (excess <= errors[:, 2])
    assert covered.mean() >= 0.9
    uncorrected = np.mean([p for _, p in made])
    if not excess:  # where chance adds the most
        assert errors[:, 0].mean() < 0.75 * uncorrected
    assert errors[:, 0].mean() == pytest.approx(excess, abs=0.08 if artists < 80 else 0.04)


def test_it_is_twice_the_error_less_what_is_found_with_redrawn_gaps() -> None:
    random = np.random.default_rng(0)
    run = answers(random, 100, 1, 0.1)  # each track its own artist
    order = run.confidence.argsort()
    parts = np.array_split((run.confidence - run.right)[order], EQUAL_BINS)
    gaps = np.array([part.sum() for part in parts]) / len(order)
    whole = np.zeros((len(order), EQUAL_BINS))
    whole[np.arange(len(order)), np.repeat(np.arange(EQUAL_BINS), [len(p) for p in parts])] = (
        np.concatenate(parts)
    )
    spread = whole.std(0, ddof=1) * len(order) ** 0.5 / len(order)
    redrawn = np.abs(random.normal(gaps, spread, (200_000, EQUAL_BINS))).sum(1).mean()
    assert corrected_error([run])[0] == pytest.approx(2 * np.abs(gaps).sum() - redrawn, abs=5e-4)


def test_few_tracks_of_many_artists_say_more_than_many_tracks_of_few() -> None:
    random = np.random.default_rng(1)
    run = answers(random, 240, 1, 0.1)
    few = Answered(run.confidence, run.right, np.arange(len(run.groups)) % 8)
    clones = Answered(*(np.repeat(a[:8], 30) for a in (run.confidence, run.right, run.groups)))
    widths = [np.ptp(corrected_error([made])[1:]) for made in (run, few, clones)]
    assert widths[0] < widths[2]
    assert widths[1] < widths[2]


def test_seeds_are_averaged_and_two_artists_are_too_few() -> None:
    random = np.random.default_rng(2)
    one, other = answers(random, 30, 2, 0.0), answers(random, 30, 2, 0.3)
    alone = [corrected_error([run])[0] for run in (one, other)]
    assert corrected_error([one, other])[0] == pytest.approx(np.mean(alone), abs=1e-9)
    pair = Answered(one.confidence, one.right, one.groups % 2)
    error, low, high = corrected_error([pair])
    assert (low, high) == (0.0, 1.0)
    assert error == pytest.approx(plain(pair))
