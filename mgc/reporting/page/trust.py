"""How far answers can be trusted: genre sets, unknown music, figures on other datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mgc.errors import MgcError
from mgc.evaluation.compare_text import ece, interval
from mgc.evaluation.coverage import system_figures
from mgc.evaluation.evaluate import saved
from mgc.evaluation.systems import System
from mgc.prediction.predictor import Predictor
from mgc.prediction.unlike import unknown_by_genre
from mgc.runs import Run
from mgc.runs.calibration_error import NAMES


def answers_of(
    compared: Sequence[System], shown: Sequence[tuple[str, Run]]
) -> list[list[dict[str, Any]]]:
    """The figures of sets and of unknown music for each shown run; none if no system has any."""
    sets = {system.name: system_figures(system) for system in compared}
    made = [answers(run, sets[name], _unknown(run)) for name, run in shown]
    return made if any(made) else []


def _unknown(run: Run) -> dict[str, float] | None:
    predictor = Predictor(run)
    _ = predictor.training_music  # if it is damaged, the page must not lack it in silence
    try:
        return unknown_by_genre(run, predictor.reference)
    except MgcError:  # of a run that cannot predict here
        return None


def answers(
    run: Run, sets: Mapping[str, Any] | None, unknown: Mapping[str, float] | None
) -> list[dict[str, Any]]:
    """Coverage, mean size of the sets and share of unknown music: in total, then by genre.

    Args:
        run: whose test tracks they are about.
        sets: ``share``, ``share_low``, ``share_high``, ``size`` and ``by_genre`` with a ``share``
            and a ``size`` each; None if no sets can be calibrated.
        unknown: for each genre the share of its tracks that is unknown; None if that is not known.
    """
    if sets is None and unknown is None:
        return []
    counts = run.rows("test")["genre"].value_counts()
    blank: dict[str, Any] = {"share": None, "size": None, "between": "", "unknown": None}
    total = {**blank, "genre": "all", "tracks": int(counts.sum())}
    rows = [{**blank, "genre": genre, "tracks": int(counts.get(genre, 0))} for genre in run.genres]
    if sets is not None:
        between = interval(sets, "share")
        total |= {"share": sets["share"], "size": sets["size"], "between": between}
        rows = [row | sets["by_genre"].get(row["genre"], {}) for row in rows]
    if unknown is not None:
        rows = [row | {"unknown": unknown.get(row["genre"], 0.0)} for row in rows]
        total["unknown"] = sum(row["tracks"] * row["unknown"] for row in rows) / total["tracks"]
    return [total, *rows]


def elsewhere(shown: Sequence[tuple[str, Run]]) -> list[dict[str, Any]]:
    """The saved evaluations of the runs on other datasets, beside their own figures."""
    made = []
    for name, run in shown:
        own = run.scores["test"]["accuracy"]
        for one in saved(run):
            figures = one.figures
            made.append(
                {
                    "name": name,
                    "dataset": one.dataset,
                    "tracks": figures["tracks"],
                    "accuracy": figures["accuracy"],
                    "between": interval(figures, "accuracy"),
                    "f1": figures["f1"],
                    "ece": ece(figures) if {*NAMES} <= {*figures} else "–",
                    "own": own,
                    "left_out": sum(one.without_counterpart.values()) + one.learnt,
                }
            )
    return made
