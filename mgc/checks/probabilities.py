"""What both heads and strategies must return: probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgc.checks.base import Problem

ROUNDING = 1e-6


def check(got: Any, tracks: int, genres: int, what: str) -> np.ndarray:
    """The probabilities as an array. Raises `Problem` if they are not."""
    wanted = f"{what}: numpy float probabilities ({tracks}, {genres}), each row sums to 1"
    if not isinstance(got, np.ndarray) or got.dtype.kind != "f":
        kind = f"{got.dtype} " if isinstance(got, np.ndarray) else ""
        raise Problem(wanted, f"{kind}{type(got).__name__}", "return np.asarray(…, float)")
    if got.shape != (tracks, genres):
        mend = "one row per track and one column per genre, even for a genre that training lacks"
        raise Problem(wanted, f"shape {got.shape}", mend)
    if not np.isfinite(got).all():
        raise Problem(wanted, "NaN or infinity", "guard logarithms and divisions by 0")
    if got.min() < -ROUNDING or got.max() > 1 + ROUNDING:
        raise Problem(
            wanted,
            f"values in [{got.min():.3g}, {got.max():.3g}]",
            "return probabilities, not scores",
        )
    sums = got.sum(1)
    if np.abs(sums - 1).max() > ROUNDING:
        raise Problem(
            wanted,
            f"rows that sum to {sums.min():.6g} … {sums.max():.6g}",
            "divide by p.sum(1, keepdims=True) in float64",
        )
    return got
