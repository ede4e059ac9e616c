"""``mgc ensemble``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mgc.cli.ui import choice, output
from mgc.cli.ui.options import DataName, Settings, finite, refuse_unused
from mgc.plugins.contract import StrategyInfo

if TYPE_CHECKING:
    from mgc.ensembling.combination import EnsembleRequest, StrategySpec
    from mgc.runs import Run

SEARCH = "search"
MAX_SUBSETS_SHOWN = 10
MIN_OVERLAP = 0.9  # mgc.ensembling.combination.MIN_SHARE, not imported so that --help is fast


def ensemble(
    strategy: Annotated[
        str,
        typer.Argument(
            help="A strategy (mgc strategies list), 'all' of them, or 'search' among subsets."
        ),
    ] = "auto",
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
        Literal["validation", "out-of-fold"],
        typer.Option(help="Held-out tracks that weights and meta-models learn from."),
    ] = "validation",
    min_overlap: Annotated[
        float,
        typer.Option(
            help="Smallest share of tracks that all runs must have in common.",
            min=0.0,
            max=1.0,
            callback=finite,
        ),
    ] = MIN_OVERLAP,
    settings: Settings = None,
    as_json: output.JsonOption = False,
) -> None:
    """Combine runs into one; the result is a run too. To name runs, name the strategy before them:
    mgc ensemble auto RUN RUN."""
    from mgc.plugins import params

    values, names = params.parse_assignments(settings or []), _names(strategy)
    _check_strategy(names, members or [])
    if not calibrate and not any(_learns(name) for name in names):
        given = {"--learn-from": learn_from != "validation"}
        refuse_unused(f"on {strategy}, which learns nothing from held-out tracks", given)
    own = _settings(names, values)
    groups = _members(members or [], data)
    from mgc.ensembling.combination import EnsembleRequest, StrategySpec
    from mgc.ensembling.ensemble_runs import ensemble
    from mgc.ensembling.member_notes import notes
    from mgc.plugins.plugin_spec import postponed

    specs = [StrategySpec(name, own[name]) for name in names]
    for spec in specs:
        with postponed():
            spec.check()

    def combine(spec: StrategySpec, group: Sequence[Run]) -> Run:
        if spec is specs[0]:
            _say_members(group)
        request = EnsembleRequest(spec, calibrate, learn_from, min_overlap)
        request = replace(request, command=_command(request, group))
        if strategy == SEARCH:
            _show_search(request, group)
        made = ensemble(request, group)
        for line in notes(made, group):
            output.note(line)
        return made

    jobs = [(spec.name, partial(combine, spec, group)) for group in groups for spec in specs]
    done, failed = choice.one_by_one(jobs)
    for group in groups:
        choice.say_doubts(group)
    _report(done, as_json)
    choice.end_with(failed, len(jobs))


def _command(request: EnsembleRequest, group: Sequence[Run]) -> list[str]:
    """The command that makes this ensemble again, with its strategy and members by name even if
    'all' or the newest runs were asked for."""
    import json

    words = ["mgc", "ensemble", request.spec.name, *(run.name for run in group)]
    words += ["--calibrate"] if request.calibrate else []
    if request.learn_from != "validation":
        words += ["--learn-from", request.learn_from]
    if request.smallest_share != MIN_OVERLAP:
        words += ["--min-overlap", str(request.smallest_share)]
    for name, value in request.spec.settings.items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    return words


def _settings(names: Sequence[str], values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings that apply to each strategy. Raises UsageError for one that applies to none."""
    from mgc import resolve
    from mgc.errors import unknown
    from mgc.plugins import params_source

    own, broken = resolve.parameters_of({name: ("strategy", name) for name in names})
    known = {parameter for parameters in own.values() for parameter in parameters}
    for value in values:
        if value not in known:
            owners = names[0] if len(names) == 1 else "the strategies"
            error = unknown(f"parameter of {owners}", value, known, "mgc strategies show NAME")
            raise next(iter(broken), error)
        for name in names:
            if value in own[name]:
                params_source.check(name, own[name], value, values[value])
    return {name: {k: v for k, v in values.items() if k in own[name]} for name in names}


def _names(strategy: str) -> list[str]:
    from mgc.plugins import registry

    if strategy != "all":
        return ["best-subset" if strategy == SEARCH else strategy]
    entries = registry.catalogue().entries("strategy")
    for entry in entries:
        if entry.status != "ready":
            output.note(f"Left out {entry.info.name}: {entry.problem}. {entry.hint}")
    return [entry.info.name for entry in entries if entry.status == "ready"]


def _check_strategy(names: Sequence[str], members: Sequence[str]) -> None:
    """Raise UsageError for what is no strategy; if it is a run, with the command that takes it."""
    from mgc import resolve, runs
    from mgc.errors import UsageError

    try:
        resolve.check_names("strategy", names)
    except UsageError:
        if names[0] not in runs.names():
            raise
        command = " ".join(["mgc ensemble auto", names[0], *members])
        raise UsageError(f"{names[0]!r} is a run, not a strategy.", f"Run: {command}") from None


def _learns(name: str) -> bool:
    from mgc.plugins import registry

    info = registry.find("strategy", name).info
    return isinstance(info, StrategyInfo) and info.learns == "held-out"


def _members(names: Sequence[str], data: str | None) -> list[list[Run]]:
    from mgc import resolve
    from mgc.runs import selection

    if names:
        dataset = choice.dataset_or_none(data)
        named = [selection.one(name, dataset) for name in names]
        choice.check_dataset(named, data)
        return [named]
    dataset, found = resolve.dataset_name(data), choice.all_runs()
    groups = selection.groups_of_members(found, dataset)
    taken = {run.name for group in groups for run in group}
    singles = [r for r in found if r.kind == "single" and r.finished and r.name not in taken]
    if others := sum(run.record.dataset.name == dataset for run in singles):
        output.note(
            f"Left out: {output.count(others, 'run')}, older or of other folds. To take them, name "
            "the members: mgc runs list"
        )
    return groups


def _say_members(group: Sequence[Run]) -> None:
    seeds = {run.record.seed for run in [r for r in group if r.record.seeded] or group}
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
            output.note(
                f"{run.name}: {shared:,} of {output.count(of, 'track')} are in every member."
            )
    if as_json:
        output.emit_json([{"name": run.name, **run.record} for run in done])
        return
    from mgc.evaluation.compare_text import ece
    from mgc.runs.calibration_error import calibration_of_run

    rows = []
    for run in done:
        test = run.scores["test"]
        error = ece(calibration_of_run(run))
        own = {"NLL": f"{test['nll']:.3f}", "ECE": error, "tracks": test["tracks"]}
        rows.append(choice.test_figures(run) | own)
    output.show_records(rows, "lr")
    _report_calibration(done)
    choice.say_next(done[-1].record.dataset.name)


def _report_calibration(done: Sequence[Run]) -> None:
    """NLL and ECE of members and results, without and with temperatures."""
    from statistics import fmean as mean

    from mgc.evaluation.compare_text import ece

    rows = []
    for run in done:
        found = run.record.calibration
        for name, part in [*found["members"].items(), (run.name, found)] if found else []:
            temperature = f"{mean(part['temperatures']):.2f}"
            both = part["before"], part["after"]
            rows.append((name, temperature, *(f"{f['nll']:.3f}" for f in both), *map(ece, both)))
    if rows:
        columns = ["calibrated", "temperature", "NLL before", "after", "ECE before", "after"]
        output.show_table(columns, list(dict.fromkeys(rows)), "lr")
