"""What is said of a file, as the API gives it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import mgc


def record(
    answer: mgc.Prediction, heard: Mapping[str, Any], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """A prediction, and what a worker process heard, as the API answers."""
    return {
        "genre": answer.genre,
        "probability": answer.probability,
        "probabilities": answer.probabilities,
        "known": answer.known,
        "unlike": answer.unlike,
        "remark": answer.remark or None,
        "seconds": answer.seconds,
        "genres_at": _genres_at(answer, asked["coverage"]),
        "heard_before": heard["heard_before"],
        "views": _views(answer) if asked["views"] and answer.views else None,
        "timeline": heard.get("timeline"),
        "waveform": heard.get("waveform"),
    }


def _genres_at(answer: mgc.Prediction, coverage: float | None) -> list[str] | None:
    """The set of genres, if it is asked for and the run has held-out tracks to tell."""
    with suppress(mgc.MgcError):
        return None if coverage is None else answer.genres_at(coverage)
    return None


def _views(answer: mgc.Prediction) -> list[dict[str, Any]]:
    views = []
    for name, shares in answer.views.items():
        genre = max(shares, key=shares.__getitem__)
        views.append(
            {
                "name": name,
                "genre": genre,
                "probability": shares[genre],
                "probabilities": shares,
            }
        )
    return views
