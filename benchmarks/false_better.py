"""How often "better" is said: ``python -m benchmarks.false_better`` prints the table of
docs/measurement.md.

Two systems are simulated on tracks of artists. An artist's difficulty and each system's liking for
the artist are random effects; the numbers of tracks have a heavy tail (Pareto, 2 to 100). Systems
are equally accurate on average, or the second is better by some points everywhere; "uneven": it is
much better for one artist in seven, and worse for all others, and equal on average.
"""

from __future__ import annotations

import numpy as np

from mgc.evaluation.intervals import resamples
from mgc.runs.paired_test import LEVEL, MIN_GROUPS, paired_test

GROUPS = (5, 6, 8, 10, 15, 20, 30, 50, 100)
COLUMNS = 20  # trials that share one draw of sizes
GAIN, LOSS = 0.18, 0.03  # the uneven case: one in seven gains, 0.18 / 7 = 0.03 × 6 / 7


def trials(
    generator: np.random.Generator, groups: int, difference: float, *, uneven: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Differences in right answers (group, trial), second minus first, and sizes (group,)."""
    sizes = np.minimum(np.ceil(2 * (1 + generator.pareto(1.3, groups))), 100).astype(int)
    artist = generator.normal(0, 1.5, (groups, COLUMNS))
    own = generator.normal(0, 0 if uneven else 1, (2, groups, COLUMNS))
    chances = 0.1 + 0.7 / (1 + np.exp(-(artist + own)))  # [0.1, 0.8]: no cut at 1 below
    chances[1] += difference
    if uneven:
        chances[1] += np.where(generator.random((groups, COLUMNS)) < 1 / 7, GAIN, -LOSS)
    of = np.repeat(np.arange(groups), sizes)
    track = generator.random((len(of), COLUMNS))  # hard for both systems, every other time
    other = np.where(generator.random(track.shape) < 0.5, track, generator.random(track.shape))
    right = (other < chances[1][of]).astype(float) - (track < chances[0][of])
    starts = np.cumsum(sizes) - sizes
    return np.add.reduceat(right, starts), sizes


def bootstrap(totals: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The p values (trial,) of a bootstrap of groups, which mgc used up to version 0.1."""
    drawn = np.concatenate([d @ totals for d in resamples(len(sizes), 2_000)])
    fewer = np.minimum((drawn <= 0).sum(0), (drawn >= 0).sum(0))
    return np.minimum(1.0, 2 * (fewer + 1) / (len(drawn) + 1))


def sign_flip(totals: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The p values (trial,) of mgc's test; 1 if there are too few groups."""
    return paired_test(totals, sizes).p if len(sizes) >= MIN_GROUPS else np.ones(totals.shape[1])


def rates(groups: int, difference: float, rounds: int, *, uneven: bool = False) -> list[float]:
    """How often each test says "better" rightly: of any of two equal systems (false), else of the
    second (power). Bootstrap, sign flip."""
    generator = np.random.default_rng([groups, round(100 * difference), uneven])
    said = []
    for _ in range(rounds):
        totals, sizes = trials(generator, groups, difference, uneven=uneven)
        counted = (totals.sum(0) > 0) | (difference == 0)
        tests = (bootstrap(totals, sizes), sign_flip(totals, sizes))
        said.append([((p < LEVEL) & counted).mean() for p in tests])
    return [float(rate) for rate in np.mean(said, 0)]


def main(rounds: int = 250) -> None:
    """Print the table, in percent of ``rounds`` × `COLUMNS` trials."""
    print("| groups | bootstrap, false | sign flip, false | uneven, false | 5 points | 10 points |")
    print("|--:|--:|--:|--:|--:|--:|")
    for groups in GROUPS:
        before, false = rates(groups, 0, rounds)
        uneven = rates(groups, 0, rounds, uneven=True)[1]
        power = [rates(groups, points / 100, rounds)[1] for points in (5, 10)]
        cells = (f"{100 * rate:.1f}" for rate in (before, false, uneven, *power))
        print(f"| {groups} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
