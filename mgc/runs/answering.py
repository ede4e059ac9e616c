"""Which run answers if none is named: `mgc predict` without ``--run``.

On a dataset, it is the run with the best accuracy on tracks that neither its heads nor its
strategy learnt from:

- the out-of-fold tracks (part ``test``) of runs with folds, if there are such runs;
- else the validation tracks of single runs, and of ensembles that learnt nothing from them. (A
  gradient head only chose its epoch by these tracks, and an estimator's answers there are those of
  a first fit without them; a learnt strategy looks perfect on them.)

The test tracks of a single split are never used to choose. A more complex run (in this order: a
single run, an ensemble that learns nothing, one that learns) is taken only if there are
`MIN_TRACKS` such tracks and the paired test shows that it is better; p is adjusted for the number
of runs of its kind. Of equal figures, the newest wins.

``run.json`` says whose figures can win; theirs are computed from the predictions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from typing import Any, TypeAlias

from mgc.errors import MgcError, counted
from mgc.plugins import registry
from mgc.plugins.contract import StrategyInfo
from mgc.runs import Run, identity

MIN_TRACKS = 50  # with fewer, a paired test shows next to nothing
ROUNDING = 1e-6  # of an accuracy in run.json
SINGLE, PLAIN, LEARNT = range(3)  # how complex a run is


#: For each track its genre, whether the run is right, and its group.
_Rows: TypeAlias = Mapping[str, tuple[str, bool, Any]]


@dataclass(frozen=True)
class Choice:
    """The run that answers, and why."""

    run: Run
    reason: str


@dataclass(frozen=True)
class _Candidate:
    """A run that may answer by its figure on a part."""

    run: Run
    complexity: int
    part: str

    @cached_property
    def rows(self) -> _Rows:
        """The tracks of the part; reading them takes a while."""
        return _scored(self.run, self.part)

    @property
    def claimed(self) -> float:
        """The accuracy in ``run.json``; infinity if there is none, so that it is computed."""
        said = self.run.record.metrics.get(self.part, {}).get("accuracy")
        return said if isinstance(said, int | float) else inf

    @cached_property
    def accuracy(self) -> float:
        """The share of the tracks on which it is right, in [0, 1]."""
        return sum(right for _, right, _ in self.rows.values()) / len(self.rows)

    def like(self, other: _Candidate) -> bool:
        """Whether both were scored by the same genres and, as far as is known, audio."""
        if identity.same_labels(self.run, other.run):
            return identity.same_audio(self.run, other.run) is not False
        theirs = other.rows
        genres = all(theirs[t][0] == row[0] for t, row in self.rows.items() if t in theirs)
        return genres and identity.same_audio(self.run, other.run) is not False

    def altered(self) -> bool:
        """Whether ``run.json`` claims another accuracy than the predictions, if these were read."""
        is_read = bool(vars(self).get("rows"))
        return is_read and abs(self.claimed - self.accuracy) > ROUNDING


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
        last = next((c for c in reversed(known) if c.rows), None)
        if last is not None:
            choice = _best([c for c in known if c.like(last)], part, kind)
            altered = ", ".join(c.run.name for c in known if c.altered())
            said = f"; figures that do not match the predictions: {altered}" if altered else ""
            return replace(choice, reason=choice.reason + said)
    return Choice(there[-1], "the newest; no run has a figure on tracks it did not learn from")


def _candidate(run: Run, part: str) -> _Candidate | None:
    """A run with its figure on a part; None if it may have learnt from that part."""
    return _Candidate(run, _complexity(run), part) if unlearnt_part(run) == part else None


def unlearnt_part(run: Run) -> str:
    """The part of its rows that neither a run's heads nor its strategy learnt from, other than the
    test rows of a single split; "" if there is none."""
    if run.record.dataset.folds > 1:
        return "test"
    return "" if _complexity(run) == LEARNT else "validation"


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
    best = [(_most_accurate(level), len(level)) for level in levels]
    (taken, _), *rivals = [(one, count) for one, count in best if one is not None]
    refused = ""
    for rival, tests in rivals:
        why = _not_better(rival, taken, part, tests)
        taken, refused = (taken, why or refused) if why is not None else (rival, "")
    figure = f"{100 * taken.accuracy:.1f} % of {counted(len(taken.rows), f'{kind} track')}"
    others = "the only run with such a figure" if len(known) == 1 else f"the best of {len(known)}"
    return Choice(taken.run, f"{figure}; {refused or others}")


def _most_accurate(level: Sequence[_Candidate]) -> _Candidate | None:
    """The best of them, the newest of equals; None if no figure can be computed."""
    best = None
    for one in sorted(level, key=lambda c: c.claimed)[::-1]:
        if best is not None and one.claimed <= best.accuracy:
            break
        if one.rows and (best is None or one.accuracy > best.accuracy):
            best = one
    return best


def _not_better(complex_one: _Candidate, simple: _Candidate, part: str, tests: int) -> str | None:
    """Why the simpler one is kept ("": its figure is as good); None if the other is shown to be
    better."""
    if complex_one.accuracy <= simple.accuracy:
        return ""
    name = complex_one.run.name
    if min(len(complex_one.rows), len(simple.rows)) < MIN_TRACKS:
        return f"too few tracks to prefer {name}, which is not as simple"
    why = _not_shown(complex_one, simple, tests)
    return f"{name} is not as simple and not shown to be better ({why})" if why else None


def _not_shown(first: _Candidate, second: _Candidate, tests: int) -> str:
    """What the paired test says, on the tracks that both have; "" if the first is better."""
    import numpy as np

    from mgc.runs.paired_test import LEVEL, paired_p, too_few, unit_of

    one, other = first.rows, second.rows
    tracks = sorted(one.keys() & other.keys())
    if len(tracks) < MIN_TRACKS:
        return "too few tracks in common"
    differences = [float(one[t][1]) - float(other[t][1]) for t in tracks]
    p, groups = paired_p(np.array(differences), np.array([one[t][2] for t in tracks]))
    if lacking := too_few(groups, unit_of(first.run.record.dataset.group_by)):
        return lacking
    p = min(1.0, p * tests)
    return "" if p < LEVEL else f"p = {p:.2f}"


def _scored(run: Run, part: str) -> _Rows:
    """The genre, whether the run is right, and the group, by track id; nothing if a probability is
    not finite."""
    import numpy as np

    from mgc.runs.held_out import held_out

    rows = held_out(run, part)
    if not np.isfinite(rows.shares).all():
        return {}
    right = (rows.shares.argmax(1) == rows.genres).tolist()
    genres = [run.genres[number] for number in rows.genres]
    found = zip(rows.tracks, genres, right, rows.groups.tolist(), strict=True)
    return {track: (genre, hit, group) for track, genre, hit, group in found}
