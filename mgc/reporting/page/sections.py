"""Works out what the page's tables and drawings show; templates only lay it out."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgc.errors import UsageError, counted
from mgc.evaluation.agreement import Agreement, agreement, diverse
from mgc.evaluation.compare import Comparison, by_genre
from mgc.evaluation.compare_text import accuracy, difference_interval, ece, mark, p_value
from mgc.evaluation.reliability import Bin, reliability
from mgc.evaluation.risk_coverage import risk_coverage
from mgc.evaluation.systems import System
from mgc.plugins.licences import with_limits
from mgc.reporting.colours import DARK, LIGHT, look
from mgc.reporting.plots import matrix
from mgc.runs import Run, pretraining
from mgc.runs.calibration_error import calibration_of_run
from mgc.runs.selection import repeat_command

SCALE_STEP = 0.05  # of the accuracy axis
MISTAKES = 6  # kinds of mistakes listed beside a matrix
COVERAGES = (0.5, 0.8, 1.0)  # whose risks the page writes out
CURVE_POINTS = 200  # of a risk-coverage curve: more than a pixel is wide
DEEP = 0.55  # share of the scale beyond which text on a colour is light


@dataclass(frozen=True)
class Scale:
    """The part of [0, 1] that the accuracy axis shows."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """The position of a value, in percent of the axis."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """(place in percent, text)."""
        count = round((self.high - self.low) / SCALE_STEP)
        step = next(n for n in (1, 2, 4, 5, 10) if count / n <= 5)
        values = [self.low + i * SCALE_STEP for i in range(0, count + 1, step)]
        return [(self.place(value), f"{100 * value:.0f}") for value in values]


def scale(rows: Sequence[Mapping[str, Any]]) -> Scale:
    """An axis with room for all intervals."""
    low = math.floor(min(row["accuracy_low"] for row in rows) / SCALE_STEP) * SCALE_STEP
    high = math.ceil(max(row["accuracy_high"] for row in rows) / SCALE_STEP) * SCALE_STEP
    return Scale(round(low, 2), round(max(high, low + SCALE_STEP), 2))


def verdict(made: Comparison) -> str:
    """What the comparison allows us to say, in a sentence or two."""
    best = made.rows[0]
    low, high = 100 * best["accuracy_low"], 100 * best["accuracy_high"]
    said = (
        f"{best['name']} names the right genre for {100 * best['accuracy']:.0f} % of "
        f"{counted(best['tracks'], 'track')} (95 % interval {low:.0f} to {high:.0f} %)."
    )
    if made.reference is None:
        return said
    if best["name"] == made.reference:
        return f"{said} {_others(made)}"
    against = f"the best single system, {made.reference}"
    if made.too_few:
        return f"{said} Is it better than {against}? There are {made.too_few}."
    if mark(best):
        p = p_value(best["p_adjusted"])
        return f"{said} It is better than {against} (p {p if p.startswith('<') else f'= {p}'})."
    return f"{said} These tracks cannot show whether it is better than {against}."


def _others(made: Comparison) -> str:
    if made.too_few:
        return f"Are the others behind it? There are {made.too_few}."
    rest = [row for row in made.rows if row["name"] != made.reference]
    worse = [row for row in rest if mark(row)]
    if len(worse) == len(rest):
        return "All others are behind it by more than chance can explain."
    if not worse:
        return "None of the others is behind it by more than chance can explain."
    return f"{len(worse)} of the {len(rest)} others are behind it by more than chance can explain."


def comparison_rows(made: Comparison) -> list[dict[str, Any]]:
    """The rows of the table: figures, places on the axis, marks."""
    axis, keys = scale(made.rows), ("accuracy_low", "accuracy", "accuracy_high")
    return [
        {
            **row,
            "reference": row["name"] == made.reference,
            "mark": mark(row),
            "said": accuracy(row),
            "between": difference_interval(row),
            "places": [axis.place(row[key]) for key in keys],
        }
        for row in made.rows
    ]


def genre_bars(compared: Sequence[System], order: Sequence[str]) -> list[dict[str, Any]]:
    """For each genre, its tracks and a bar per system, in the order of the table."""
    table = by_genre(compared)
    counts = table.pop("tracks")
    made = []
    for genre, values in table.iterrows():
        best = max(values)
        bars = [(name, float(values[name]), bool(values[name] == best > 0)) for name in order]
        tracks = int(counts[str(genre)])
        made.append({"name": str(genre), "tracks": tracks, "best": float(best), "bars": bars})
    return made


def confusion_cells(run: Run) -> dict[str, Any]:
    """A matrix as rows of cells: tracks, share of the row, and both as places on a colour scale."""
    counts, shares = matrix(run, False), matrix(run, True)
    table = zip(run.genres, counts, counts / max(counts.max(), 1), shares, strict=True)
    rows = [
        {"genre": genre, "tracks": int(row[0].sum()), "cells": list(map(_cell, *row))}
        for genre, *row in table
    ]
    return {"rows": rows, "mistakes": _mistakes(run)}


def _cell(tracks: float, depth: float, share: float) -> dict[str, Any]:
    deep = [name for name, value in (("dt", depth), ("ds", share)) if value > DEEP]
    return {
        "tracks": int(tracks),
        "share": round(100 * share),
        "tracks_depth": round(float(depth), 3),
        "share_depth": round(float(share), 3),
        "deep": " ".join(deep),
    }


def _mistakes(run: Run) -> list[dict[str, Any]]:
    """The most frequent mistakes: true genre, answer, tracks, of how many of that genre."""
    counts = matrix(run, False).astype(int)
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MISTAKES]
    return [
        {
            "true": run.genres[row],
            "said": run.genres[column],
            "tracks": int(wrong[row, column]),
            "of": int(counts[row].sum()),
        }
        for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[row, column]
    ]


def calibration(named: Sequence[tuple[str, Run]]) -> list[dict[str, Any]]:
    """For each run, the points of its reliability diagram and a summary of them."""
    made = []
    for name, run in named:
        found = reliability(run)
        figures = run.scores["test"]
        made.append(
            {
                "name": name,
                "bins": found,
                "largest": max(b.tracks for b in found),
                "ece": ece(calibration_of_run(run)),
                "nll": figures["nll"],
                "lean": _lean(found),
            }
        )
    return made


def _lean(found: Sequence[Bin]) -> str:
    """Whether a run is more confident than it should be, in a few words."""
    total = sum(b.tracks for b in found)
    gap = sum(b.tracks * (b.confidence - b.accuracy) for b in found) / total
    if abs(gap) < 0.02:
        return "as confident as it is accurate"
    lean = "more confident" if gap > 0 else "less confident"
    return f"{lean} than accurate, by {100 * abs(gap):.0f} points"


def risk(named: Sequence[tuple[str, Run]]) -> dict[str, Any]:
    """For each run its risk-coverage curve, as a path in a drawing 160 wide and 100 high, whose
    vertical axis ends at ``top``, and its figures."""
    found = [risk_coverage(run) for _, run in named]
    largest = max(float(curve.risk.max()) for curve in found)
    top = next(end for end in (0.25, 0.5, 1.0) if end >= largest)
    made = []
    for number, ((name, _), curve) in enumerate(zip(named, found, strict=True)):
        count = len(curve.risk)
        points = np.unique(np.linspace(0, count - 1, min(CURVE_POINTS, count)).round().astype(int))
        places = zip(
            160 * curve.coverage[points], 100 - 100 * curve.risk[points] / top, strict=True
        )
        colour, _ = look(number)
        made.append(
            {
                "name": name,
                "path": "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places),
                "colour": f"light-dark({LIGHT[colour]}, {DARK[colour]})",
                "dash": number // len(LIGHT) * 3,
                "risks": [curve.at(coverage) for coverage in COVERAGES],
                "aurc": curve.aurc,
            }
        )
    return {"top": top, "systems": made}


def agreement_cells(compared: Sequence[System]) -> dict[str, Any] | None:
    """Which systems agree, and what a perfect choice would achieve; None for a single system."""
    chosen = diverse(compared)
    try:
        found: Agreement = agreement(chosen)
    except UsageError:
        return None
    shares = {(p["first"], p["second"]): p for p in found.pairs}
    shares |= {(p["second"], p["first"]): p for p in found.pairs}
    names = [system.name for system in chosen]
    cells = [[shares.get((one, other)) for other in names] for one in names]
    return {"names": names, "cells": cells, "found": found}


def repeat(found: Sequence[Run]) -> list[dict[str, Any]]:
    """What each run was and how to repeat it, in the order in which the runs were made."""
    made = []
    for run in sorted(found, key=lambda run: run.record.created):
        record = run.record
        facts: dict[str, object] = {"made": record.created, "seed": record.seed}
        facts["split"] = record.dataset.split
        if run.kind == "single":
            extractor = record.extractor
            facts["extractor"] = f"{extractor.name} {_plain(extractor.identity.get('params'))}"
            facts["fingerprint"] = (extractor.fingerprint or "")[:12]
            facts["licence"] = with_limits(extractor.licence)
            facts["pre-trained on"] = ", ".join(extractor.pretrained_on)
            facts["head"] = f"{record.head.name} {_plain(record.head.params)}"
            facts["device"] = record.device
            facts["seconds"] = record.seconds
        else:
            facts["members"] = ", ".join(record.members)
            facts["calibrated"] = "yes" if record.strategy.calibrate else "no"
            facts["licence"] = " ".join(pretraining.licences([run]))
        shown = {name: value for name, value in facts.items() if value not in (None, "")}
        command = shlex.join(repeat_command(run))
        made.append({"name": run.name, "command": command, "facts": shown})
    return made


def _plain(values: Mapping[str, Any] | None) -> str:
    return " ".join(f"{name}={value}" for name, value in (values or {}).items())
