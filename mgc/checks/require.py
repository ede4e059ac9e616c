"""What several kinds of plug-ins are held to: each function raises `Problem` if it is not so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from mgc.checks.base import Problem, Subject
from mgc.errors import MgcError

ROUNDING = 1e-6


def method(subject: Subject, method: str, mend: str) -> None:
    """The class has a method."""
    if not callable(getattr(subject.implementation, method, None)):
        raise Problem(f"{subject.implementation.__name__}.{method}", "no such method", mend)


def loaded(subject: Subject, wanted: str) -> Any:
    """What ``load=…`` names, which is ``wanted``. Raises Problem if it cannot be imported."""
    try:
        return subject.implementation
    except MgcError as error:
        raise Problem(wanted, error.message, "correct load=… or the import error") from error


def fit_returned_self(returned: object, wanted: object) -> None:
    """``fit`` returned the object itself."""
    if returned is not wanted:
        got = f"it returns {type(returned).__name__}"
        raise Problem("fit returns self", got, "end with return self")


def finite(array: Any, what: str, mend: str) -> None:
    """An array, numpy's or torch's, has numbers in it, and neither NaN nor infinity."""
    array = np.asarray(array)
    bad = int((~np.isfinite(array)).sum())
    if bad or not array.size:
        got = f"{bad} of {array.size} are NaN or infinite"
        raise Problem(f"finite numbers for {what}", got, mend)


def same(
    one: Any, other: Any, expected: str, mend: str, *, share: float = 0.0, absolute: float = 0.0
) -> None:
    """Two arrays differ by no more than ``absolute`` and ``share`` of the deviation of the first
    (noise to a head)."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if one.shape != other.shape:
        raise Problem(expected, f"shapes {one.shape} and {other.shape}", mend)
    if not one.size:
        return
    deviation = float(one.std()) or float(np.abs(one).max()) or 1.0
    error = float(np.abs(one - other).max())
    if not error <= absolute + share * deviation:
        raise Problem(expected, f"a difference of up to {error:.3g}", mend)


@contextmanager
def unchanged(arrays: Mapping[str, Any], mend: str) -> Iterator[None]:
    """The arrays, numpy's or torch's, hold the same numbers after the block."""
    kept = deepcopy(arrays)
    yield
    changed = [name for name in arrays if not np.array_equal(arrays[name], kept[name])]
    if changed:
        raise Problem("its arguments unchanged", f"{', '.join(changed)} changed", mend)


def learnt(got: np.ndarray, genres: np.ndarray, least: float, what: str, mend: str) -> None:
    """The likeliest genre is the true one for at least this share of the rows."""
    right = float((got.argmax(1) == genres).mean())
    if right < least:
        raise Problem(f"at least {least:.0%} of {what} right", f"{right:.0%}", mend)


def probabilities(got: Any, rows: int, genres: int, what: str) -> np.ndarray:
    """The answer holds probabilities; returns it as the array that it is."""
    wanted = f"{what}: numpy float probabilities ({rows}, {genres}), each row sums to 1"
    if not isinstance(got, np.ndarray) or got.dtype.kind != "f":
        kind = f"{got.dtype} " if isinstance(got, np.ndarray) else ""
        raise Problem(wanted, f"{kind}{type(got).__name__}", "return np.asarray(…, float)")
    if got.shape != (rows, genres):
        mend = "one row per track and one column per genre, even for a genre that training lacks"
        raise Problem(wanted, f"shape {got.shape}", mend)
    if not np.isfinite(got).all():
        raise Problem(wanted, "NaN or infinity", "guard logarithms and divisions by 0")
    if got.min() < -ROUNDING or got.max() > 1 + ROUNDING:
        found = f"values in [{got.min():.3g}, {got.max():.3g}]"
        raise Problem(wanted, found, "return probabilities, not scores")
    sums = got.sum(1)
    if np.abs(sums - 1).max() > ROUNDING:
        found = f"rows that sum to {sums.min():.6g} … {sums.max():.6g}"
        raise Problem(wanted, found, "divide by p.sum(1, keepdims=True) in float64")
    return got
