"""What the code of a head or a strategy returned, checked; whatever is wrong names the plug-in."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgc.audio.clips import as_numpy
from mgc.errors import in_words
from mgc.plugins.plugin_spec import PluginSpec

TOLERANCE = 1e-3  # how far a row of a head's probabilities may be from summing to 1


def probabilities(
    spec: PluginSpec, answer: Any, shape: tuple[int, int], tolerance: float = TOLERANCE
) -> np.ndarray:
    """Check that an answer is probabilities of ``shape`` (track or clip, genre); return it as
    float64. Raises MgcError."""
    found = numbers(spec, answer)
    problem = ""
    if found.shape != shape:
        problem = f"an array of shape {found.shape} instead of {shape}"
    elif not np.isfinite(found).all() or (found < 0).any():
        problem = "probabilities that are negative or not finite"
    elif (np.abs(found.sum(1) - 1) > tolerance).any():
        problem = "probabilities that do not sum to 1"
    if problem:
        raise spec.failure(f"returned {problem}.")
    return found


def embeddings(spec: PluginSpec, answer: Any, count: int) -> np.ndarray:
    """Check that an answer is ``count`` finite vectors; return it as (count, dimension) float64.
    Raises MgcError."""
    found = numbers(spec, answer)
    if found.ndim != 2 or len(found) != count:
        raise spec.failure(f"returned embeddings of shape {found.shape} instead of ({count}, …).")
    if not np.isfinite(found).all():
        raise spec.failure("returned embeddings that are not finite.")
    return found


def numbers(spec: PluginSpec, answer: Any) -> np.ndarray:
    """An answer as float64. Raises MgcError if it is no array of numbers."""
    try:
        return np.asarray(as_numpy(answer), np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise spec.failure(f"returned no array of numbers ({in_words(error)}).") from error
