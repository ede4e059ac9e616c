"""Further checks of a strategy that learns: fit, state, restore."""

from __future__ import annotations

import numpy as np

from mgc.checks import require
from mgc.checks.base import Problem, Subject
from mgc.checks.combining_strategies import GENRES, combined, heard, ready


def check_fit_returns_self(subject: Subject) -> None:
    """The method fit returns the strategy itself."""
    strategy = subject.implementation(subject.params, 0)
    require.fit_returned_self(strategy.fit(*heard(subject), GENRES), strategy)


def check_refit_forgets(subject: Subject) -> None:
    """A second fit forgets the first."""
    second, test = heard(subject), heard(subject, 1).members
    strategy = ready(subject, heard(subject, 5))
    strategy.fit(*second, GENRES)
    require.same(
        combined(ready(subject, second), test),
        combined(strategy, test),
        "a strategy fitted twice equals one fitted once on the same",
        "build everything again in fit; keep nothing but params and seed from __init__",
        absolute=1e-9,
    )


def check_genre_absent(subject: Subject) -> None:
    """A genre without held-out tracks still has its column."""
    data = heard(subject)
    less = data.at(np.flatnonzero(data.genres != 0))
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
    require.same(
        combined(strategy, test),
        combined(back, test),
        "the same answer after state() and restore()",
        "give everything that fit learnt in state(), at full precision",
        absolute=1e-9,
    )
