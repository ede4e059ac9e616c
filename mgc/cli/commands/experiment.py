"""``mgc experiment``."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgc.cli.commands import compare
from mgc.cli.ui import choice, output
from mgc.cli.ui.live import progress
from mgc.cli.ui.options import Jobs, a_folder, device_type, existing, refuse_unused
from mgc.errors import MgcError, UsageError
from mgc.evaluation import compare_text

if TYPE_CHECKING:
    from mgc.evaluation.compare import Comparison
    from mgc.experiment.plan import Plan
    from mgc.experiment.published import PublishedRow
    from mgc.experiment.study import StudyResult

app = typer.Typer(no_args_is_help=True, help="Experiments: a whole results table from one file.")

File = Annotated[
    Path, typer.Argument(help="A TOML file, such as examples/demo.toml.", callback=existing)
]


def _part(text: str | None) -> str | None:
    """Refuse what is not a part such as 3/16."""
    numbers = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text or "1/1")
    if not numbers or not 1 <= int(numbers[1]) <= int(numbers[2]):
        raise UsageError(f"--only {text} is not a part.", "For example: --only 3/16")
    return text


@app.command("run")
def run(
    file: File,
    to: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the tables (default: experiments/NAME in the mgc home).",
            callback=a_folder,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="A different device from the one in the file.", callback=device_type),
    ] = None,
    jobs: Jobs = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="N/M",
            help="Make only the Nth of M parts of the fits, as one task of a job array.",
            callback=_part,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(metavar="ray[://HOST:PORT]", help="Use a Ray cluster that shares the home."),
    ] = None,
    gpu_share: Annotated[
        float, typer.Option(help="The part of a GPU that a fold gets, with --on.", min=0.01, max=1)
    ] = 1.0,
    as_json: output.JsonOption = False,
) -> None:
    """Do everything in the file; stop at any time, and the same command continues."""
    from mgc.experiment.plan import read_plan

    plan = read_plan(file)
    from mgc.experiment.study import perform
    from mgc.fitting import side_by_side

    plan = plan if device is None else replace(plan, device=device)
    part = (int(only.split("/")[0]), int(only.split("/")[1])) if only else None
    refuse_unused("with --on", {"--jobs": on and jobs})
    refuse_unused("without --on", {"--gpu-share": on is None and gpu_share != 1})
    words = ["mgc", "experiment", "run", str(file)]
    with side_by_side(jobs, on, gpu_share) as workers:
        done = perform(plan, words, progress(), workers=workers, only=part, on=on)
    if done.lacking:
        output.note(f"{output.count(done.lacking, 'fit')} of other parts to come before the table.")
    elif not done.runs:
        raise done.failures[0][1]
    else:
        _report(plan, done, to or plan.folder, as_json)
    if done.failures:
        names = ", ".join(name for name, _ in done.failures)
        first = done.failures[0][1]
        raise MgcError(
            f"{output.count(len(done.failures), 'step')} failed: {names}. {first.message}",
            f"{first.hint} Then continue with: mgc experiment run {file}".strip(),
        )


@app.command("show")
def show(file: File, as_json: output.JsonOption = False) -> None:
    """Show what a file asks for, and how much of it is done."""
    from mgc import runs
    from mgc.datasets import table as datasets
    from mgc.experiment.plan import read_plan

    plan = read_plan(file)
    from mgc.experiment.steps import steps
    from mgc.experiment.study import requests

    there = plan.dataset in datasets.names()
    found = steps(requests(plan, []), runs.everything()[0]) if there else []
    if as_json:
        rows = [
            {"step": s.name, "seed": s.seed, "state": s.state, "run": s.run and s.run.name}
            for s in found
        ]
        output.emit_json({"name": plan.name, "dataset": plan.dataset, "steps": rows})
        return
    output.say(
        f"{plan.name}: dataset {plan.dataset}{'' if there else ' (not there yet)'}, "
        f"{f'{plan.folds} folds' if plan.folds else 'its own split'}, "
        f"seeds {', '.join(map(str, plan.seeds))}"
    )
    cells = [(s.name, s.seed, s.state, s.run.name if s.run else "") for s in found]
    if cells:
        output.show_table(["fit", "seed", "state", "run"], cells, right=["seed"])
    else:
        output.say(
            f"fits: {', '.join(plan.extractors)} × {', '.join(plan.heads) or 'default head'}"
        )
    if plan.ensembles:
        output.say(f"then: {', '.join(plan.rows([])[-len(plan.ensembles) :])}")
    output.note(f"Next: mgc experiment run {file}")


def _report(plan: Plan, done: StudyResult, folder: Path, as_json: bool) -> None:
    """Print the comparison and the table of published figures; write both."""
    from mgc.evaluation.compare import compare as compare_systems
    from mgc.evaluation.systems import systems
    from mgc.experiment.published import compare_published

    found = systems(done.runs)
    choice.say_doubts(done.runs)
    made = compare_systems(found)
    lines = compare_published(plan, made)
    _write(plan, made, lines, folder)
    if as_json:
        output.emit_json(list(made.rows))
    else:
        compare.show(made, found)
        if plan.published:
            _show_beside(lines)
    output.note(f"Written to {folder}: table.md, table.csv, table.json")


def _show_beside(lines: list[PublishedRow]) -> None:
    rows = [[*line.cells[:2], *line.cells[3:7]] for line in lines]  # not protocol and F1
    columns = ["published", "their acc. %", "here", "acc. %", "95 % interval", "points"]
    right = [c for c in columns if c not in ("published", "here")]
    output.show_table(columns, rows, right=right)
    sources = {line.published.source for line in lines if line.published and line.published.source}
    for source in sorted(sources):
        output.note(f"published: {source}")


def _write(plan: Plan, made: Comparison, lines: list[PublishedRow], folder: Path) -> None:
    from mgc.experiment.published import markdown
    from mgc.home import json_bytes, replace_together

    text = [f"# {plan.name}", "", *compare_text.markdown(made)]
    if plan.published:
        text += ["", "## Beside published figures", "", *markdown(lines)]
    tables = {
        "table.md": ("\n".join(text) + "\n").encode(),
        "table.csv": compare_text.csv_text(made).encode(),
        "table.json": json_bytes(list(made.rows)),
    }
    replace_together(folder / "checksums.json", {}, tables)
