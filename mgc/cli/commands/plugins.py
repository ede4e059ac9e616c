"""``mgc plugins``."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mgc.cli.ui import output
from mgc.cli.ui.options import Settings, refuse_unused
from mgc.cli.ui.plugin_list import describe

if TYPE_CHECKING:
    from mgc.checks import Outcome, Subject
    from mgc.plugins.registry import Plugin

app = typer.Typer(
    no_args_is_help=True, help="Plug-in packages: what is installed, and whether it works."
)
VERDICT_MARKS = {"passed": "ok     ", "failed": "FAILED ", "skipped": "skipped"}


@app.command("list")
def list_plugins(as_json: output.JsonOption = False) -> None:
    """List the plug-in packages, what each provides, and any problems."""
    from mgc.plugins import declarations, registry
    from mgc.plugins.distributions import package_of

    declarations.forget_problems()
    plugins = registry.catalogue().plugins
    _name_what_needs_the_former_package()
    if as_json:
        output.emit_json([_record(plugin) for plugin in plugins])
        return
    rows = [
        [package_of(p.distribution), p.version, ", ".join(e.info.name for e in p.entries), p.status]
        for p in plugins
    ]
    output.show_table(["package", "version", "brings", "status"], rows)
    for plugin in plugins:
        if plugin.problem:
            output.say(f"{plugin.distribution} ({plugin.module}): {plugin.problem}. {plugin.hint}")
        for entry in plugin.entries:
            if entry.problem:
                output.say(
                    f"{plugin.distribution}: {entry.kind} {entry.info.name}: {entry.problem}. "
                    f"{entry.hint}"
                )


def _record(plugin: Plugin) -> dict[str, Any]:
    fields = ("name", "module", "distribution", "version", "status", "problem", "hint")
    entries = [describe(entry) | {"kind": entry.kind} for entry in plugin.entries]
    return {name: getattr(plugin, name) for name in fields} | {"brings": entries}


def _name_what_needs_the_former_package(owners: Set[str] | None = None) -> None:
    """Name the packages (of these, if given) that depend on ``mgc``, which is another project's."""
    from mgc.plugins.distributions import FORMER, PACKAGE, needing_former

    for name, version in needing_former():
        if owners is None or name in owners:
            output.note(
                f"{name} {version} depends on the package {FORMER}, which belongs to another "
                f"project. Update {name}; its author: depend on {PACKAGE} instead."
            )


@app.command("check")
def check(
    name: Annotated[
        str, typer.Argument(help="A plug-in, or a package with everything it provides.")
    ],
    only: Annotated[
        str, typer.Option("-k", metavar="ID", help="Run only the checks whose name contains this.")
    ] = "",
    settings: Settings = None,
    write_golden: Annotated[
        bool,
        typer.Option(
            "--write-golden", help="Store an extractor's numbers as the reference of its revision."
        ),
    ] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Check whether a plug-in keeps the contract; say how to fix what breaks it."""
    from mgc.checks import subjects
    from mgc.plugins import declarations, params

    declarations.forget_problems(even_slow=True)
    found = subjects(name, params.parse_assignments(settings or []))
    _name_what_needs_the_former_package({subject.entry.distribution for subject in found})
    if write_golden:
        _write_golden(found)
    outcomes = [outcome for subject in found for outcome in _checked(subject, only, as_json)]
    if as_json:
        output.emit_json([asdict(outcome) for outcome in outcomes])
    if any(outcome.verdict == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def _checked(subject: Subject, only: str, as_json: bool) -> list[Outcome]:
    """Run the checks of one plug-in, showing each as it ends."""
    from mgc.checks import verdicts

    entry = subject.entry
    if not as_json:
        output.say(f"{entry.kind} {entry.info.name} ({entry.distribution} {entry.version})")
    outcomes = []
    for outcome in verdicts(subject, only):
        outcomes.append(outcome)
        if not as_json:
            _show(outcome)
    if not as_json:
        counts = (f"{sum(o.verdict == v for o in outcomes)} {v}" for v in VERDICT_MARKS)
        output.say(f"  {', '.join(counts)}")
    return outcomes


def _show(outcome: Outcome) -> None:
    output.say(f"  {VERDICT_MARKS[outcome.verdict]} {outcome.check}: {outcome.title}")
    if outcome.verdict == "skipped":
        output.say(f"            because {outcome.reason}")
    if outcome.verdict == "failed":
        output.say(f"            expected: {outcome.expected}")
        output.say(f"            got:      {outcome.got}")
        output.say(f"            to fix:   {outcome.mend}")


def _write_golden(found: list[Subject]) -> None:
    from mgc.checks import golden

    extractors = [subject for subject in found if subject.entry.kind == "extractor"]
    refuse_unused("without an extractor", {"--write-golden": not extractors})
    for subject in extractors:
        output.note(f"Wrote {golden.write_numbers(subject)}")


@app.command("new")
def new(
    kind: Annotated[
        Literal["extractor", "head", "strategy", "command", "model"],
        typer.Argument(help="What it provides."),
    ],
    name: Annotated[
        str, typer.Argument(help="Its name, as typed after --extractor, or after mgc.")
    ],
    to: Annotated[
        Path | None, typer.Option(help="Folder to write to (default: ./mgc-NAME).")
    ] = None,
) -> None:
    """Write a small package with a working plug-in: installable, with tests."""
    from mgc.plugins import scaffold

    folder = scaffold.write_package(kind, name, to or Path(f"mgc-{name}"))
    output.say(f"Wrote {folder}. Next:")
    output.say(f"  pip install --editable {folder}")
    output.say(f"  mgc plugins check {name}")
    output.say(f"  python -m pytest {folder}    (pip install pytest)")
