"""What a strategy learns, and from which tracks; how well subsets of members do on these.

The labels of the tracks that a fold scores are never seen by what is learnt for that fold: neither
by weights, nor by temperatures, nor by a meta-model.

- ``validation`` (the default): the fold's own validation part. What answers there has not learnt
  from it (a gradient head chose its epoch by it; an estimator learns from it in a second fit, and
  the first one answers there), and no model involved has seen a scored track.
  It is small (an eighth of a fold's training side), so every strategy that learns here is
  regularised towards a sound default (equal weights, the geometric mean).
- ``out-of-fold``: the test rows of the *other* folds, each predicted by members that had not seen
  it. There are several times as many of them. The folds keep artists together, so no artist of the
  scored tracks is among them. But the members of those folds did learn from the tracks that this
  fold scores, so through their predictions what is learnt depends on them after all, if not on
  their labels directly. That makes the result slightly *worse*, not better: if a fold's tracks are
  unusual, the other folds' members have learnt to allow for it, and the meta-model learns that
  allowance away. On 240 tracks, 5 folds and 3 seeds, stacking lost 1 to 2 points this way, despite
  having eight times the rows.

Temperatures have one number to learn and take the out-of-fold rows of members and fixed strategies
if there are any, with each artist counted once: a validation part has too few artists, and made
musicnn on 240 tracks worse (log loss 0.72 without, 0.76 with it, 0.71 with out-of-fold rows).

A strategy that combines embeddings learns in the fold's own embedding space, since each fold has
its own models; see `mgc.plugins.contract.StrategyInfo`. An estimator's embedding of validation
tracks is that of its second fit: it tells nothing of their genres if it holds standardised
features, as that of every head that ships.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mgc.ensembling.alignment import Aligned, align
from mgc.ensembling.combination import Combination, EnsembleRequest
from mgc.errors import MgcError, UsageError
from mgc.runs import Run
from mgc.strategies.calibration import MIN_PROBABILITY, fit_temperature, tempered
from mgc.strategies.weights import subsets

INNER_FOLDS = 5  # folds of the cross-fitting behind the temperature of a learnt strategy's answer


@dataclass(frozen=True)
class Learner:
    """Fits a strategy for one fold of aligned members and, if asked to calibrate, temperatures."""

    asked: EnsembleRequest
    aligned: Aligned
    seed: int = 0

    def learn(self, fold: int) -> Combination:
        """Temperatures of the members, then the strategy, then the temperature of its answer."""
        held_out = self.held_out(fold)
        temperatures = self.temperatures(fold)
        by_training = self.asked.spec.info.learns == "training"
        own = self.aligned.rows(fold, "training", "validation")
        made = self._fitted(own if by_training else held_out, temperatures)
        if not self.asked.calibrate:
            return made
        answers, rows = self._unseen_answers(made, fold, held_out)
        return replace(made, pooled=self._temperature(answers, rows))

    @property
    def _by_embedding(self) -> bool:
        return bool(self.asked.spec.info.combines == "embeddings")

    def held_out(self, fold: int) -> np.ndarray:
        """Row numbers of tracks that no member learnt from and that the fold does not score.

        Raises UsageError if out-of-fold rows are wanted but there is only one split.
        """
        asked = self.asked.learn_from != "validation"
        wanted = asked or self.asked.spec.info.learns == "out-of-fold"
        if self._by_embedding or not wanted:
            return self.aligned.rows(fold, "validation")
        if asked and len(self.aligned.folds) == 1:
            raise UsageError(
                "These runs have one split and no folds: nothing is out of fold.",
                "Use --learn-from validation, or fit with --folds 5.",
            )
        return self._out_of_fold(fold)

    def _out_of_fold(self, fold: int) -> np.ndarray:
        """The test rows of the other folds; the validation rows of a single split."""
        others = [self.aligned.rows(other, "test") for other in self.aligned.folds if other != fold]
        return np.concatenate(others) if others else self.aligned.rows(fold, "validation")

    def answers(self, made: Combination, rows: np.ndarray) -> np.ndarray:
        """A combination's answers for some rows: (row, genre)."""
        embeddings = [e[rows] for e in self.aligned.embeddings] if self._by_embedding else []
        return made(self.aligned.probabilities[:, rows], embeddings)

    def temperatures(self, fold: int) -> np.ndarray:
        """A temperature for each member (member,) in a fold; 1 without ``calibrate``."""
        members = self.aligned.probabilities
        if not self.asked.calibrate or self._by_embedding:
            return np.ones(len(members))
        rows = self._out_of_fold(fold)
        return np.array([self._temperature(member[rows], rows) for member in members])

    def _temperature(self, answers: np.ndarray, rows: np.ndarray) -> float:
        return fit_temperature(answers, self.aligned.genres[rows], self.aligned.groups[rows])

    def _fitted(self, rows: np.ndarray, temperatures: np.ndarray) -> Combination:
        """The strategy, fitted on some rows if it learns at all."""
        strategy = self.asked.spec.make(self.seed)
        if self.asked.spec.info.learns != "nothing":
            aligned = self.aligned
            if not len(rows):
                raise MgcError(
                    f"There are no held-out tracks for {self.asked.spec.name!r} to learn from.",
                    "Use a strategy that learns nothing: mgc strategies list",
                )
            n_genres = aligned.probabilities.shape[2]
            seen = self._seen(rows, temperatures)
            with self.asked.spec.blamed("fit"):
                strategy.fit(seen, aligned.genres[rows], aligned.groups[rows], n_genres)
        return Combination(self.asked.spec, strategy, temperatures)

    def _seen(self, rows: np.ndarray, temperatures: np.ndarray) -> Any:
        """The members as the strategy sees them on some rows."""
        if self._by_embedding:
            return [e[rows] for e in self.aligned.embeddings]
        return tempered(self.aligned.probabilities[:, rows], temperatures[:, None, None])

    def _unseen_answers(
        self, made: Combination, fold: int, held_out: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Answers (row, genre) for held-out rows that the fit behind them did not use, and the
        rows."""
        from sklearn.model_selection import GroupKFold

        learns = self.asked.spec.info.learns
        if learns == "training":
            made = self._fitted(self.aligned.rows(fold, "training"), made.temperatures)
        if learns in ("nothing", "training"):
            seen = self._out_of_fold(fold) if learns == "nothing" else held_out
            return self.answers(made, seen), seen
        groups = self.aligned.groups[held_out]
        parts = min(INNER_FOLDS, len(np.unique(groups)))
        if parts < 2:  # only one artist: cannot tell over- from under-confidence
            return np.empty((0, self.aligned.probabilities.shape[2])), held_out[:0]
        answers, rows = [], []
        for outside, inside in GroupKFold(parts).split(groups, groups=groups):
            fitted = self._fitted(held_out[outside], made.temperatures)
            rows.append(held_out[inside])
            answers.append(self.answers(fitted, rows[-1]))
        return np.concatenate(answers), np.concatenate(rows)


@dataclass(frozen=True)
class SubsetScore:
    """One subset of the members (their numbers), its mean probability scored on the held-out
    tracks of all folds: negative log-likelihood (nat) and accuracy. ``chosen``: by how many folds,
    each judging by its own held-out tracks alone."""

    members: tuple[int, ...]
    nll: float
    accuracy: float
    chosen: int


def search(request: EnsembleRequest, members: Sequence[Run]) -> list[SubsetScore]:
    """Score subsets of members on held-out tracks, the lowest negative log-likelihood first.

    ``request.spec`` is ignored: subsets are averaged. It tries the same subsets as the strategy
    ``best-subset``; if folds try different subsets, only those that all folds tried are listed.

    Raises UsageError as `mgc.ensembling.ensemble` does.
    """
    aligned = align(members, request.smallest_share)
    learner = Learner(request, aligned)
    found = defaultdict(list)  # for each subset and fold (loss and hit, track)
    best: list[tuple[int, ...]] = []
    for fold in aligned.folds:
        rows = learner.held_out(fold)
        genres = aligned.genres[rows]
        temperatures = learner.temperatures(fold)[:, None, None]
        given = tempered(aligned.probabilities[:, rows], temperatures)
        here = {}
        for subset in subsets(given[:, np.arange(len(rows)), genres], 1):
            mean = given[list(subset)].mean(0)
            loss = -np.log(np.maximum(mean[np.arange(len(rows)), genres], MIN_PROBABILITY))
            found[subset].append(np.stack([loss, mean.argmax(1) == genres]))
            here[subset] = loss.mean()
        best.append(min(here, key=lambda subset: (round(here[subset], 12), -len(subset))))
    tried = []
    for subset, folds in found.items():
        if len(folds) == len(aligned.folds):
            nll, accuracy = np.hstack(folds).mean(1)
            tried.append(SubsetScore(subset, float(nll), float(accuracy), best.count(subset)))
    return sorted(tried, key=lambda one: one.nll)
