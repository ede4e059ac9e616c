"""``mgc ensemble``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mgc.cli.ui import choice, output
from mgc.cli.ui.options import DataName, Settings
from mgc.cli.ui.output import JsonOption

if TYPE_CHECKING:
    from mgc.ensembling.combination import EnsembleRequest, StrategySpec
    from mgc.runs import Run

SEARCH = "search"
MAX_SUBSETS_SHOWN = 10
MIN_OVERLAP = 0.9  # mgc.ensembling.combination.MIN_SHARE, not imported so that --help is fast


class LearnFrom(StrEnum):
    """The tracks that weights, temperatures and meta-models are learnt from."""

    validation = "validation"
    out_of_fold = "out-of-fold"


def ensemble(
    strategy: Annotated[
        str,
        typer.Argument(
            help="A strategy (mgc strategies list), 'all' of them, or 'search' among subsets."
        ),
    ],
    members: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Runs to combine; default: the newest of each extractor · head and seed.",
        ),
    ] = None,
    data: DataName = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Calibrate the members and the result.")
    ] = False,
    learn_from: Annotated[
        LearnFrom,
        typer.Option(help="Held-out tracks that weights, temperatures and meta-models learn from."),
    ] = LearnFrom.validation,
    min_overlap: Annotated[
        float,
        typer.Option(
            help="Smallest share of tracks that all runs must have in common.", min=0.0, max=1.0
        ),
    ] = MIN_OVERLAP,
    settings: Settings = None,
    as_json: JsonOption = False,
) -> None:
    """Combine runs into one; the result is a run too."""
    from mgc.ensembling.combination import EnsembleRequest
    from mgc.ensembling.ensemble_runs import ensemble
    from mgc.plugins import params

    values = params.parse_assignments(settings or [])
    specs = _specs(_names(strategy), values)
    for spec in specs:
        spec.make()
    done: list[Run] = []
    for group in _members(members or [], data):
        _say_members(group)
        for spec in specs:
            command = _command(spec, group, calibrate, learn_from, min_overlap)
            request = EnsembleRequest(spec, calibrate, learn_from.value, min_overlap, command)
            if strategy == SEARCH:
                _show_search(request, group)
            done.append(ensemble(request, group))
    _report(done, as_json)


def _command(
    spec: StrategySpec,
    group: Sequence[Run],
    calibrate: bool,
    learn_from: LearnFrom,
    min_overlap: float,
) -> list[str]:
    """The command that makes this ensemble again, with its strategy and members by name even if
    'all' or the newest runs were asked for."""
    import json

    words = ["mgc", "ensemble", spec.name, *(run.name for run in group)]
    words += ["--calibrate"] if calibrate else []
    if learn_from != LearnFrom.validation:
        words += ["--learn-from", learn_from.value]
    words += [] if min_overlap == MIN_OVERLAP else ["--min-overlap", str(min_overlap)]
    for name, value in spec.settings.items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    return words


def _specs(names: Sequence[str], values: dict[str, Any]) -> list[StrategySpec]:
    """Each strategy with the settings that apply to it. Raises UsageError for a setting that
    applies to none."""
    from dataclasses import fields

    from mgc.ensembling.combination import StrategySpec
    from mgc.errors import unknown
    from mgc.plugins.params import params_class

    made, known = [], set()
    for name in names:
        own = {f.name for f in fields(params_class(StrategySpec(name).implementation))}
        known |= own
        made.append(StrategySpec(name, {k: v for k, v in values.items() if k in own}))
    for name in values:
        if name not in known:
            owners = names[0] if len(names) == 1 else "the strategies"
            raise unknown(f"parameter of {owners}", name, known, "mgc strategies show NAME")
    return made


def _names(strategy: str) -> list[str]:
    from mgc.plugins import registry

    if strategy != "all":
        return ["best-subset" if strategy == SEARCH else strategy]
    entries = registry.catalogue().entries("strategy")
    for entry in entries:
        if entry.status != "ready":
            output.note(f"Left out {entry.info.name}: {entry.problem}. {entry.hint}")
    return [entry.info.name for entry in entries if entry.status == "ready"]


def _members(names: Sequence[str], data: str | None) -> list[list[Run]]:
    from mgc import resolve, runs
    from mgc.runs import selection

    if names:
        dataset = choice.dataset_or_none(data)
        return [[selection.one(name, dataset) for name in names]]
    dataset = resolve.dataset_name(data)
    found, errors = runs.everything()
    for error in errors:
        output.note(f"{error.message} {error.hint}")
    return selection.groups_of_members(found, dataset)


def _say_members(group: Sequence[Run]) -> None:
    seeds = {run.record.seed for run in group}
    seed = f" (seed {seeds.pop()})" if len(seeds) == 1 else ""
    output.note(f"members{seed}: {', '.join(run.name for run in group)}")


def _show_search(request: EnsembleRequest, group: Sequence[Run]) -> None:
    """What was tried, by held-out tracks; on stderr, because the result is the ensemble."""
    from mgc.ensembling.learner import search

    tried = search(request, group)
    output.note(f"{output.count(len(tried), 'subset')} by the held-out tracks of each fold:")
    for one in tried[:MAX_SUBSETS_SHOWN]:
        names = ", ".join(group[number].label for number in one.members)
        chosen = f", chosen in {output.count(one.chosen, 'fold')}" if one.chosen else ""
        output.note(
            f"  NLL {one.nll:.3f}, accuracy {output.percent(one.accuracy)} %: {names}{chosen}"
        )


def _report(done: Sequence[Run], as_json: bool) -> None:
    for run in done:
        shared, of = run.record.overlap["tracks"], run.record.overlap["of"]
        if shared < of:
            output.note(f"{run.name}: {shared:,} of {of:,} tracks are in every member.")
    if as_json:
        output.emit_json([{"name": run.name, **run.record} for run in done])
        return
    rows = []
    for run in done:
        test = run.record.metrics["test"]
        own = (f"{test['nll']:.3f}", f"{test['ece']:.3f}", test["tracks"])
        rows.append((*choice.test_figures(run), *own))
    columns = [*choice.TEST_COLUMNS, "NLL", "ECE", "tracks"]
    output.show_table(columns, rows, right=columns[1:])
    _report_calibration(done)
    choice.say_next(done[-1].record.dataset.name)


def _report_calibration(done: Sequence[Run]) -> None:
    """NLL and ECE of members and results, without and with temperatures."""
    rows = []
    for run in done:
        found = run.record.calibration
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
