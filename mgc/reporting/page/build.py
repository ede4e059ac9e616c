"""Puts the page together: numbers from `sections`, `charts` and `hard`, layout from templates."""

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
from markupsafe import Markup

from mgc import __version__
from mgc.evaluation.compare import Comparison, compare
from mgc.evaluation.hardest import hardest
from mgc.evaluation.maps import Method
from mgc.evaluation.systems import System, systems
from mgc.features.extractor_spec import ExtractorSpec
from mgc.progress import Progress, Silent
from mgc.reporting import colours
from mgc.reporting.page import sections
from mgc.reporting.page.charts import chart_data
from mgc.reporting.page.data_facts import data_facts
from mgc.reporting.page.hard_tracks import parts
from mgc.runs import Run

TEMPLATES = Path(__file__).parent / "templates"
LIBRARY = "vendor/echarts.common.min.js"
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
    shown = _shown(compared, made)
    data = chart_data(shown, asked.method, progress)
    repeat = sections.repeat([run for system in compared for run in system.runs])
    context = {
        "title": asked.title or made_title(shown[0][1]),
        "made": made,
        "shown": shown,
        "genre_count": len(shown[0][1].genres),
        "verdict": sections.verdict(made),
        "scale": sections.scale(made.rows),
        "rows": sections.comparison_rows(made),
        "left_out": asked.left_out,
        "genres": sections.genre_bars(compared, [name for name, _ in shown]),
        "matrices": [sections.confusion_cells(run) for _, run in shown],
        "calibration": sections.calibration(shown),
        "agreement": sections.agreement_cells(compared),
        "hard": parts(hardest(shown, asked.hardest), asked.picture, asked.sound, progress),
        "picture": asked.picture.name if asked.picture else "",
        "facts": data_facts(shown[0][1], _best_single(shown), asked.audit, progress),
        "repeat": repeat,
        "commands": [*sections.commands(repeat), shlex.join(asked.command)],
        "environment": shown[0][1].record.environment,
        "has_curves": any(run["curves"] for run in data["runs"]),
    }
    return page(context, data, asked)


def made_title(run: Run) -> str:
    """The default title of a report."""
    return run.record.dataset.name


def _shown(compared: Sequence[System], made: Comparison) -> list[tuple[str, Run]]:
    """One run per system, in the order of the table."""
    first = {system.name: system.runs[0] for system in compared}
    return [(row["name"], first[row["name"]]) for row in made.rows]


def _best_single(shown: Sequence[tuple[str, Run]]) -> Run:
    return next((run for _, run in shown if run.kind == "single"), shown[0][1])


def page(context: dict[str, Any], data: dict[str, Any], asked: ReportRequest) -> str:
    """Fill the templates. Every name is escaped: by Jinja in HTML, by `script_json` in data."""
    palette = {"light": colours.LIGHT, "dark": colours.DARK, "shapes": _shapes()}
    looks = [colours.look(number) for number in range(len(data["genres"]))]
    scripts = [_text(LIBRARY), "\n".join(_text(f"scripts/{name}") for name in SCRIPTS)]
    html: str = (
        templates()
        .get_template("page.html")
        .render(
            **context,
            version=__version__,
            today=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            style=Markup(_text("page.css")),
            scripts=[Markup(script) for script in scripts],
            policy=_policy(scripts),
            data=script_json({**data, "palette": palette, "looks": looks}),
        )
    )
    return html


def _shapes() -> list[str]:
    return [shape for shape, _ in colours.SHAPES]


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
    return made
