"""Which run answers if none is named: `mgc predict` without ``--run``.

On a dataset, it is the run with the best accuracy on tracks that neither its heads nor its
strategy learnt from:

- the out-of-fold tracks (part ``test``) of runs with folds, if there are such runs;
- else the validation tracks of single runs, and of ensembles that learnt nothing from them. (A
  gradient head only chose its epoch by these tracks; a learnt strategy looks perfect on them.)

The test tracks of a single split are never used to choose. A more complex run (in this order: a
single run, an ensemble that learns nothing, one that learns) is taken only if there are
`MIN_TRACKS` such tracks and the paired test shows that it is better; p is adjusted for the number
of runs of its kind. Of equal figures, the newest wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mgc.errors import MgcError
from mgc.plugins import registry
from mgc.plugins.contract import StrategyInfo
from mgc.runs import PREDICTIONS, PREFIX, Run, damaged
from mgc.runs.run_files import read_parquet

MIN_TRACKS = 50  # with fewer, a paired test shows next to nothing
LEVEL = 0.05
SINGLE, PLAIN, LEARNT = range(3)  # how complex a run is


@dataclass(frozen=True)
class Choice:
    """The run that answers, and why."""

    run: Run
    reason: str


@dataclass(frozen=True)
class _Candidate:
    run: Run
    complexity: int
    accuracy: float
    tracks: int


def answering(found: Iterable[Run], dataset: str) -> Choice | None:
    """The run that answers on a dataset, of ``found`` (the oldest first); None if there is none.

    Only the newest of each label, seed and number of folds, with the newest run's genres, counts.
    Raises MgcError if the predictions that decide are damaged.
    """
    there = [run for run in found if run.finished and run.record.dataset.name == dataset]
    if not there:
        return None
    newest = {
        (run.title, run.record.seed, run.record.dataset.folds): run
        for run in there
        if run.genres == there[-1].genres
    }
    rivals = [run for run in there if run in newest.values()]
    for part, kind in (("test", "out-of-fold"), ("validation", "validation")):
        known = [c for run in rivals if (c := _candidate(run, part)) is not None]
        if known:
            return _best(known, part, kind)
    return Choice(there[-1], "the newest; no run has a figure on tracks it did not learn from")


def _candidate(run: Run, part: str) -> _Candidate | None:
    """A run with its figure on a part; None if it may have learnt from that part."""
    complexity = _complexity(run)
    folds = run.record.dataset.folds > 1
    if folds != (part == "test") or (not folds and complexity == LEARNT):
        return None
    figures = run.record.metrics.get(part)
    if not figures:
        return None
    return _Candidate(run, complexity, float(figures["accuracy"]), int(figures["tracks"]))


def _complexity(run: Run) -> int:
    """An ensemble whose strategy is missing counts as one that learns."""
    if run.kind == "single":
        return SINGLE
    strategy = run.record.strategy
    if strategy.calibrate:
        return LEARNT
    try:
        info = registry.find_recorded("strategy", vars(strategy), f"Run {run.name!r}").info
    except MgcError:
        return LEARNT
    assert isinstance(info, StrategyInfo)
    return PLAIN if info.learns == "nothing" else LEARNT


def _best(known: Sequence[_Candidate], part: str, kind: str) -> Choice:
    """The best of the simplest, replaced by a more complex one that is shown to be better."""
    levels = [[c for c in known if c.complexity == level] for level in (SINGLE, PLAIN, LEARNT)]
    (taken, _), *rivals = [
        (max(reversed(level), key=lambda c: c.accuracy), len(level)) for level in levels if level
    ]
    refused = ""
    for rival, tests in rivals:
        why = _not_better(rival, taken, part, tests)
        taken, refused = (taken, why or refused) if why is not None else (rival, "")
    figure = f"{100 * taken.accuracy:.1f} % of {taken.tracks:,} {kind} tracks"
    others = "the only run with such a figure" if len(known) == 1 else f"the best of {len(known)}"
    return Choice(taken.run, f"{figure}; {refused or others}")


def _not_better(complex_one: _Candidate, simple: _Candidate, part: str, tests: int) -> str | None:
    """Why the simpler one is kept ("": its figure is as good); None if the other is shown to be
    better."""
    if complex_one.accuracy <= simple.accuracy:
        return ""
    name = complex_one.run.name
    if min(complex_one.tracks, simple.tracks) < MIN_TRACKS:
        return f"too few tracks to prefer {name}, which is not as simple"
    p = _p(complex_one.run, simple.run, part)
    if p is None:
        return f"too few tracks in common with {name}, which is not as simple"
    p = min(1.0, p * tests)
    if p < LEVEL:
        return None
    return f"{name} is not as simple and not shown to be better (p = {p:.2f})"


def _p(first: Run, second: Run, part: str) -> float | None:
    """The paired test on the tracks that both have; None if they are too few."""
    import numpy as np

    from mgc.runs.paired_test import paired_p

    one, other = _right(first, part), _right(second, part)
    tracks = sorted(one.keys() & other.keys())
    if len(tracks) < MIN_TRACKS:
        return None
    differences = np.array([float(one[t][0]) - float(other[t][0]) for t in tracks])
    return paired_p(differences, np.array([one[t][1] for t in tracks]))


def _right(run: Run, part: str) -> dict[str, tuple[bool, Any]]:
    """Whether a run is right, and the group, by track id.

    Reads with pyarrow and converts by lists: its filters and its ``to_numpy`` import pandas, which
    takes longer than everything else here.
    """
    import numpy as np

    try:
        table = read_parquet(run.folder / PREDICTIONS)
        columns = {name: table[name].to_pylist() for name in table.column_names}
        answers = np.array([columns[PREFIX + genre] for genre in run.genres]).argmax(0)
        ids, genres, parts = columns["track_id"], columns["genre"], columns["part"]
    except (OSError, ValueError, KeyError) as error:
        raise damaged(run.folder, error) from error
    rows = zip(ids, answers, genres, columns.get("group", ids), parts, strict=True)
    return {
        track: (run.genres[answer] == genre, group)
        for track, answer, genre, group, where in rows
        if where == part
    }
