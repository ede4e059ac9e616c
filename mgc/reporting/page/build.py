"""Puts the page together: numbers from the other modules, packed for its charts, and templates."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from mgc import __version__
from mgc.evaluation.compare import compare
from mgc.evaluation.compare_text import footnote, p_value
from mgc.evaluation.curves import NAMES, Curve, curves, monitor
from mgc.evaluation.hardest import hardest
from mgc.evaluation.maps import EmbeddingMap, Method, embedding_map
from mgc.evaluation.neighbours import neighbours
from mgc.evaluation.systems import systems
from mgc.features.extractor_spec import ExtractorSpec
from mgc.progress import Progress, Silent
from mgc.reporting import colours
from mgc.reporting.page import sections, trust
from mgc.reporting.page.data_facts import data_facts
from mgc.reporting.page.hard_tracks import parts
from mgc.runs import Run

TEMPLATES = Path(__file__).parent / "templates"
LIBRARY = "vendor/echarts.common.min.js"
STEPS = 65_535  # of a coordinate: a sixteenth of a pixel on the largest screen
NEIGHBOURS = 3  # of a hard track
MAX_NAME = 300  # characters of a name in a chart; the file may have more
#: The sections in order, with the headings that the menu repeats; one whose data are empty is left
#: out.
SECTIONS = {
    "comparison": "Comparison",
    "elsewhere": "On other datasets",
    "genres": "Genres",
    "confusion": "Confusion",
    "map": "Map",
    "curves": "Learning curves",
    "calibration": "Calibration",
    "risk": "Risk and coverage",
    "answers": "Sets and unknown",
    "agreement": "Agreement",
    "hardest": "Hardest tracks",
    "data": "Data",
    "repeat": "How to repeat it",
}
SCRIPTS = ("page.js", "sorting.js", "matrix.js", "curves.js", "map.js", "map_view.js", "player.js")


@dataclass(frozen=True)
class ReportRequest:
    """What a report should contain.

    Attributes:
        title: its heading; "" uses the dataset's name.
        hardest: how many of the hardest tracks are shown.
        picture: the extractor whose pictures show them; None means no pictures (and no sound).
        sound: whether they can be played; the clips are embedded in the page.
        audit: whether to search all audio for copies.
        method: how to make the maps.
        reference: the system that the others are tested against; None takes the best single system.
        command: the command that asked for the report.
        left_out: the runs that are not in it, and why; "" if none was left out.
    """

    title: str = ""
    hardest: int = 12
    picture: ExtractorSpec | None = None
    sound: bool = True
    audit: bool = False
    method: Method = "tsne"
    reference: str | None = None
    command: Sequence[str] = ()
    left_out: str = ""


def make_report(
    found: Sequence[Run], asked: ReportRequest, progress: Progress | None = None
) -> str:
    """The page about some finished runs, as HTML; all of one dataset and protocol.

    Details (matrix, map, curves) are shown for one run per system, the one with the lowest seed;
    the comparison covers all runs.

    Raises UsageError for runs that do not belong in one table.
    """
    progress = progress or Silent()
    compared = systems(found)
    made = compare(compared, asked.reference)
    first = {system.name: system.runs[0] for system in compared}
    shown = [(row["name"], first[row["name"]]) for row in made.rows]
    run = shown[0][1]
    best_single = next((run for _, run in shown if run.kind == "single"), run)
    hard = hardest(shown, asked.hardest)
    near = neighbours(best_single, [track.track_id for track in hard], NEIGHBOURS)
    data = chart_data(shown, asked.method, progress)
    repeat = sections.repeat([run for system in compared for run in system.runs])
    commands = dict.fromkeys(one["command"] for one in repeat if one["command"])
    context = {
        "title": asked.title or run.record.dataset.name,
        "made": made,
        "shown": shown,
        "genre_count": len(run.genres),
        "verdict": sections.verdict(made),
        "footnote": footnote(made),
        "scale": sections.scale(made.rows),
        "rows": sections.comparison_rows(made),
        "elsewhere": trust.elsewhere(shown),
        "left_out": asked.left_out,
        "genres": sections.genre_bars(compared, [name for name, _ in shown]),
        "matrices": [sections.confusion_cells(run) for _, run in shown],
        "calibration": sections.calibration(shown),
        "agreement": sections.agreement_cells(compared),
        "risk": sections.risk(shown),
        "answers": trust.answers_of(compared, shown),
        "hardest": parts(hard, near, asked.picture, asked.sound, progress),
        "picture": asked.picture.name if asked.picture else "",
        "facts": data_facts(run, best_single, asked.audit, progress, found),
        "repeat": repeat,
        "commands": [*commands, shlex.join(asked.command)],
        "environment": run.record.environment,
        "curves": any(run["curves"] for run in data["runs"]),
    }
    return page(context, data)


def page(context: dict[str, Any], data: dict[str, Any]) -> str:
    """Fill the templates. Every name is escaped: by Jinja in HTML, by `script_json` in data."""
    shapes = [shape for shape, _ in colours.SHAPES]
    palette = {"light": colours.LIGHT, "dark": colours.DARK, "shapes": shapes}
    looks = [colours.look(number) for number in range(len(data["genres"]))]
    scripts = [_text(LIBRARY), "\n".join(_text(f"scripts/{name}") for name in SCRIPTS)]
    template = templates().get_template("page.html")
    return template.render(
        **context,
        sections=[(name, said) for name, said in SECTIONS.items() if context.get(name, True)],
        version=__version__,
        today=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup(_text("page.css")),
        scripts=[Markup(script) for script in scripts],
        policy=_policy(scripts),
        data=script_json({**data, "palette": palette, "looks": looks}),
    )


def _policy(scripts: Sequence[str]) -> str:
    """A content security policy: no network, and no scripts but this page's own, by their
    hashes."""
    sums = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in sums)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data:; media-src data:"
    )


def script_json(value: Any) -> Markup:
    """JSON that is safe in a script element: nothing in it ends the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


@cache
def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@cache
def templates() -> jinja2.Environment:
    """The templates; everything they show is escaped unless it is Markup."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["percent"] = lambda value: f"{100 * value:.1f}"
    made.filters["p_value"] = p_value
    return made


def chart_data(
    named: Sequence[tuple[str, Run]], method: Method, progress: Progress
) -> dict[str, Any]:
    """What the page's scripts read, JSON-ready: genres, tracks, and a map and curves per run.

    Numbers of the maps are base64 of little-endian columns: for 25,000 tracks a fifth of the size
    of JSON.
    """
    maps = []
    with progress.task("arranging the maps", len(named), "runs") as task:
        for _, run in named:
            maps.append(embedding_map(run, method))
            task.advance()
    genres = named[0][1].genres
    tracks, ids = _tracks(maps, genres)
    made = [
        {
            "name": name,
            "map": _map(run, found, ids),
            "curves": [_curve(c) for c in curves(run)],
            "monitor": NAMES[monitor(run)],
        }
        for (name, run), found in zip(named, maps, strict=True)
    ]
    return {"genres": genres, "tracks": tracks, "runs": made, "figures": NAMES}


def _tracks(
    maps: Sequence[EmbeddingMap], genres: Sequence[str]
) -> tuple[dict[str, Any], dict[str, int]]:
    """The columns of all tracks that any map shows, and each track's number."""
    columns = ["track_id", "title", "artist", "genre"]
    rows = pd.concat([found.rows[columns] for found in maps]).astype(str)
    rows = rows.drop_duplicates("track_id")
    codes, artists = pd.factorize(rows["artist"], sort=True)
    made = {
        "id": rows["track_id"].str[:MAX_NAME].tolist(),
        "title": rows["title"].str[:MAX_NAME].tolist(),
        "artist": codes.tolist(),
        "genre": packed(pd.Categorical(rows["genre"], list(genres)).codes, "u1"),
        "artists": [artist[:MAX_NAME] for artist in artists],
    }
    return made, {track: number for number, track in enumerate(rows["track_id"])}


def _map(run: Run, found: EmbeddingMap, numbers: dict[str, int]) -> dict[str, Any]:
    probabilities = run.probabilities(found.rows)
    steps = np.round((found.points + 1) / 2 * STEPS).clip(0, STEPS)
    folds = sorted(int(fold) for fold in found.rows["fold"].unique())
    return {
        "x": packed(steps[:, 0], "<u2"),
        "y": packed(steps[:, 1], "<u2"),
        "track": packed(found.rows["track_id"].astype(str).map(numbers), "<u4"),
        "said": packed(probabilities.argmax(1), "u1"),
        "sure": packed(np.round(100 * probabilities.max(1)), "u1"),
        "fold": packed([folds.index(int(fold)) for fold in found.rows["fold"]], "u1"),
        "folds": [fold + 1 for fold in folds],
        "joined": found.joined,
        "note": found.note,
    }


def packed(values: Any, kind: str) -> str:
    """Base64 of a column of numbers."""
    return base64.b64encode(np.asarray(values).astype(kind).tobytes()).decode()


def _curve(curve: Curve) -> dict[str, Any]:
    figures = {
        name: [None if np.isnan(value) else round(float(value), 5) for value in values]
        for name, values in curve.figures.items()
    }
    return {
        "fold": curve.fold + 1,
        "epochs": list(curve.epochs),
        "kept": curve.kept,
        "figures": figures,
    }
