"""``mgc ensemble``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mgc.cli import output
from mgc.cli.options import DataName, Settings
from mgc.cli.output import JsonOption

if TYPE_CHECKING:
    from mgc.runs import Run


class LearnFrom(StrEnum):
    """The tracks that weights, temperatures and meta-models are learnt from."""

    auto = "auto"
    validation = "validation"
    out_of_fold = "out-of-fold"


def ensemble(
    strategy: Annotated[
        str, typer.Argument(help="A strategy (mgc strategies list), or 'all' for each of them.")
    ],
    members: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Runs to combine; default: the newest of each extractor · head, for each seed.",
        ),
    ] = None,
    data: DataName = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Temper the members, and the result.")
    ] = False,
    learn_from: Annotated[
        LearnFrom,
        typer.Option(help="auto: the other folds' test tracks; without folds, validation."),
    ] = LearnFrom.auto,
    min_overlap: Annotated[
        float,
        typer.Option(help="Smallest share of tracks that all runs must have.", min=0.0, max=1.0),
    ] = 0.9,
    settings: Settings = None,
    as_json: JsonOption = False,
) -> None:
    """Combine runs into one; the result is a run too."""
    from mgc import params
    from mgc.ensembling import Request, StrategySpec, ensemble

    values = params.parse_assignments(settings or [])
    specs = [StrategySpec(name, values) for name in _names(strategy)]
    for spec in specs:
        spec.make()
    done: list[Run] = []
    for group in _members(members or [], data):
        _say_members(group)
        for spec in specs:
            request = Request(
                spec, calibrate, learn_from.value, min_overlap, ["mgc", *sys.argv[1:]]
            )
            done.append(ensemble(request, group))
    _report(done, as_json)


def _names(strategy: str) -> list[str]:
    from mgc import registry

    if strategy != "all":
        return [strategy]
    entries = registry.catalogue().entries("strategy")
    for entry in entries:
        if entry.status != "ready":
            output.note(f"Left out {entry.info.name}: {entry.problem}. {entry.hint}")
    return [entry.info.name for entry in entries if entry.status == "ready"]


def _members(names: Sequence[str], data: str | None) -> list[list[Run]]:
    from mgc import asking, runs
    from mgc.ensembling import groups_of_members

    if names:
        return [[runs.load_finished(name) for name in names]]
    dataset = asking.dataset(data).name
    found, errors = runs.everything()
    for error in errors:
        output.note(f"{error.message} {error.hint}")
    return groups_of_members(found, dataset)


def _say_members(group: Sequence[Run]) -> None:
    seeds = {run.record.get("seed") for run in group}
    seed = f" (seed {seeds.pop()})" if len(seeds) == 1 else ""
    output.note(f"members{seed}: {', '.join(run.name for run in group)}")


def _report(done: Sequence[Run], as_json: bool) -> None:
    for run in done:
        shared, of = run.record["overlap"]["tracks"], run.record["overlap"]["of"]
        if shared < of:
            output.note(f"{run.name}: {shared:,} of {of:,} tracks are in every member.")
    if as_json:
        output.emit_json([{"name": run.name, **run.record} for run in done])
        return
    rows = []
    for run in done:
        test = run.record["metrics"]["test"]
        interval = f"{output.percent(test['accuracy_low'])}–{output.percent(test['accuracy_high'])}"
        rows.append(
            (
                run.name,
                output.percent(test["accuracy"]),
                interval,
                f"{test['f1']:.3f}",
                f"{test['nll']:.3f}",
                f"{test['ece']:.3f}",
                test["tracks"],
            )
        )
    columns = ["run", "accuracy %", "95 % interval", "macro F1", "NLL", "ECE", "tracks"]
    output.show_table(columns, rows, right=columns[1:])
    _report_calibration(done)
    output.note("Next: mgc compare")


def _report_calibration(done: Sequence[Run]) -> None:
    """NLL and ECE of members and results, without and with temperatures."""
    rows = []
    for run in done:
        found = run.record.get("calibration")
        if found is None:
            continue
        for name, part in [*found["members"].items(), (run.name, found)]:
            temperatures = part["temperatures"]
            mean = sum(temperatures) / len(temperatures)
            before, after = part["before"], part["after"]
            rows.append(
                (
                    name,
                    f"{mean:.2f}",
                    f"{before['nll']:.3f}",
                    f"{after['nll']:.3f}",
                    f"{before['ece']:.3f}",
                    f"{after['ece']:.3f}",
                )
            )
    if rows:
        columns = ["calibrated", "temperature", "NLL before", "after", "ECE before", "after"]
        output.show_table(columns, list(dict.fromkeys(rows)), right=columns[1:])
