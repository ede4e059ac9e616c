"""Further checks of a strategy that learns: fit, state, restore."""

from __future__ import annotations

import numpy as np

from mgc.checks.base import Problem, Subject
from mgc.checks.combining_strategies import GENRES, ToyMembers, combined, heard, ready, some


def check_fit_returns_self(subject: Subject) -> None:
    """The method fit returns the strategy itself."""
    data = heard(subject)
    strategy = subject.implementation(subject.params, 0)
    got = strategy.fit(data.members, data.genres, data.groups, GENRES)
    if got is not strategy:
        raise Problem(
            "fit returns self", f"it returns {type(got).__name__}", "end with return self"
        )


def check_refit_forgets(subject: Subject) -> None:
    """A second fit forgets the first."""
    first, second, test = heard(subject, 5), heard(subject), heard(subject, 1).members
    strategy = ready(subject, first)
    strategy.fit(second.members, second.genres, second.groups, GENRES)
    error = float(np.abs(combined(strategy, test) - combined(ready(subject, second), test)).max())
    if error > 1e-9:
        raise Problem(
            "a strategy fitted twice equals one fitted once on the same",
            f"a difference of up to {error:.3g}",
            "build everything again in fit; keep nothing but params and seed from __init__",
        )


def check_genre_absent(subject: Subject) -> None:
    """A genre without held-out tracks still has its column."""
    data = heard(subject)
    rows = np.flatnonzero(data.genres != 0)
    less = ToyMembers(some(data.members, rows), data.genres[rows], data.groups[rows])
    combined(ready(subject, less), heard(subject, 1).members, "held-out tracks without genre 0")


def check_state_and_restore(subject: Subject) -> None:
    """What was learnt is saved as named arrays, and restored from them."""
    strategy, test = ready(subject, heard(subject)), heard(subject, 1).members
    state = dict(strategy.state())
    for name, array in state.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            raise Problem(
                "state() gives numpy arrays of numbers, which safetensors can hold",
                f"{name}: {getattr(array, 'dtype', type(array).__name__)}",
                "np.asarray(…, float); keep text in Params",
            )
    stored = {name: array.copy() for name, array in state.items()}
    back = subject.implementation(subject.params, 0).restore(stored)
    if back is None:
        raise Problem("restore returns self", "it returns None", "end with return self")
    error = float(np.abs(combined(strategy, test) - combined(back, test)).max())
    if error > 1e-9:
        raise Problem(
            "the same answer after state() and restore()",
            f"a difference of up to {error:.3g}",
            "give everything that fit learnt in state(), at full precision",
        )


CHECKS = [
    check_fit_returns_self,
    check_refit_forgets,
    check_genre_absent,
    check_state_and_restore,
]
