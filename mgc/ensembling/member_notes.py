"""What an ensemble says about its members: what each weighs, and which may do harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mgc.runs import Run
from mgc.runs.paired_test import LEVEL, MIN_GROUPS, paired_p

#: A member is much weaker if the best is right on that much more of the tracks, and shown to be.
WEAK = 0.05
#: The strategy that allows for weak members.
CAREFUL = "auto"
NO_WEIGHT = 0.005  # what is shown as 0.00


def notes(run: Run, members: Sequence[Run]) -> Iterator[str]:
    """One line each, for people."""
    name = run.record.strategy.name
    labels = run.record.member_labels
    weights = _weights(run, len(labels))
    if len(weights):
        alone = ((weights == 1).sum(1) == 1) & (weights.sum(1) == 1)
        mean = ", ".join(f"{m} {w:.2f}" for m, w in zip(labels, weights.mean(0), strict=True))
        counted = f"; one member alone in {alone.sum()} of {len(alone)} folds" * bool(alone.any())
        yield f"{name}: weights {mean}{counted}"
        if alone.all() and (weights == weights[0]).all():
            yield f"{name}: nothing is shown to be better than {labels[weights[0].argmax()]} alone."
    if name == CAREFUL:
        return
    heard = weights.mean(0) >= NO_WEIGHT if len(weights) else np.ones(len(labels), bool)
    weak = [m for m, one, used in zip(labels, _weak(members), heard, strict=True) if one and used]
    if weak:
        yield (
            f"{', '.join(weak)}: much weaker than the best member, so {name} may lose to it. "
            f"A strategy that allows for it: mgc ensemble {CAREFUL}"
        )


def _weights(run: Run, members: int) -> np.ndarray:
    """What the strategy learnt as one weight per member (fold, member); empty if it did not."""
    learnt = run.record.strategy.learnt.values()
    found = [np.asarray(one.get("weights", one.get("chosen", ())), float) for one in learnt]
    return np.stack(found) if found and all(w.shape == (members,) for w in found) else np.empty(0)


def _weak(members: Sequence[Run]) -> list[bool]:
    """Whether each member is shown to be much weaker than the best."""
    right = [_right(run) for run in members]
    best = max(right, key=lambda one: one[0].mean())
    return [len(o) == len(best[0]) and _weaker(best[0] - o, groups) for o, groups in right]


def _weaker(differences: np.ndarray, groups: np.ndarray) -> bool:
    if differences.mean() < WEAK:
        return False
    p, count = paired_p(differences, groups)
    return count >= MIN_GROUPS and p < LEVEL


def _right(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Whether each test track is right (track,), and its group, by track id."""
    table = run.predictions[run.predictions["part"] == "test"].sort_values("track_id")
    right = run.probabilities(table).argmax(1) == run.truth(table)
    groups = table["group" if "group" in table else "track_id"]
    return right.astype(float), groups.to_numpy()
