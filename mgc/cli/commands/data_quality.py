"""``mgc data check`` and ``mgc data audit``: can the files and the split be trusted?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mgc.cli.ui import choice, output
from mgc.cli.ui.live import progress
from mgc.cli.ui.options import DatasetName, GroupBy, Workers, finite, refuse_unused
from mgc.cli.ui.output import JsonOption

if TYPE_CHECKING:
    import pandas as pd

    from mgc.datasets.quality.audit import Audit
    from mgc.datasets.quality.checking import FileCheck
    from mgc.datasets.table import Dataset
    from mgc.runs import Run

CLEAN = "clean"
COPY_FIELDS = ("first", "second", "kind", "error", "offset", "splits", "genres", "crosses")
SHOWN = 20  # rows of a list on the terminal; the file and --json have all of them


def check(
    name: DatasetName = None,
    shortest: Annotated[
        float, typer.Option(help="Seconds; shorter tracks are left out.", min=0, callback=finite)
    ] = 2.0,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REMARK",
            help="Also leave these out: clipped, rate, channels, 'dead channel' or duration; "
            "repeatable.",
        ),
    ] = None,
    workers: Workers = None,
    as_json: JsonOption = False,
) -> None:
    """Decode every track once; list the unusable ones, which later commands then leave out."""
    from mgc.datasets import table

    dataset = table.load(name or table.default_name())
    from mgc.datasets.quality.checking import check as run_check

    found = run_check(
        dataset, workers=workers or 0, shortest=shortest, also=also or (), progress=progress()
    )
    if as_json:
        output.emit_json(_check_record(dataset, found))
    else:
        _show_check(dataset, found)


def _check_record(dataset: Dataset, found: FileCheck) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "tracks": found.tracks,
        "usable": found.usable,
        "hours": round(found.seconds / 3600, 3),
        "faults": {str(k): int(n) for k, n in found.findings["fault"].value_counts().items()},
        "findings": found.findings.to_dict("records"),
    }


def _show_check(dataset: Dataset, found: FileCheck) -> None:
    from mgc.datasets.quality.checking import LEFT_OUT, NOT_READ, REMARKS

    findings = found.findings
    if len(findings):
        rows = []
        for fault, part in findings.groupby("fault", sort=False):
            meaning = {**LEFT_OUT, **NOT_READ, **REMARKS}.get(str(fault), "")
            fate = "left out" if part["left_out"].all() else "kept"
            rows.append([fault, f"{len(part):,}", fate, meaning])
        output.show_table(["fault", "tracks", "", "meaning"], rows, right=["tracks"])
        worst = findings.sort_values("left_out", ascending=False, kind="stable")
        for row in worst.head(SHOWN).itertuples():
            output.say(f"  {row.path}: {row.fault} ({row.detail})")
        if len(findings) > SHOWN:
            output.say(f"  … and {len(findings) - SHOWN:,} more: {dataset.folder / 'check.csv'}")
    output.say(
        f"{found.usable:,} of {output.count(found.tracks, 'track')} can be used; "
        f"{found.seconds / 3600:.1f} hours decode."
    )
    if found.left_out:
        output.note(f"Later commands leave out {found.left_out:,}; --include-bad keeps them.")


def audit(
    name: DatasetName = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write a clean split and switch to it.")
    ] = False,
    group_by: Annotated[
        GroupBy | None,
        typer.Option(
            help="With --fix: what must not cross splits (default: everything that is known)."
        ),
    ] = None,
    called: Annotated[str, typer.Option("--as", help="With --fix: name of the split.")] = CLEAN,
    seed: Annotated[
        int, typer.Option(help="With --fix: seed, if everything has to be split again.", min=0)
    ] = 0,
    run: Annotated[
        str | None, typer.Option(help="Find label errors with this run (default: the newest).")
    ] = None,
    include_bad: Annotated[
        bool, typer.Option("--include-bad", help="Include quarantined tracks.")
    ] = False,
    workers: Workers = None,
    as_json: JsonOption = False,
) -> None:
    """Look for what spoils results: leaks between splits, copies, uneven genres, wrong labels."""
    if not fix:
        given = {"--group-by": group_by, "--as": called != CLEAN, "--seed": seed}
        refuse_unused("without --fix", given)
    from mgc.datasets import table

    dataset = table.load(name or table.default_name())
    from mgc import runs
    from mgc.datasets.quality import audit as auditing
    from mgc.runs import pretraining

    found = auditing.audit(
        dataset, include_bad=include_bad, workers=workers or 0, progress=progress()
    )
    there = [
        r for r in runs.everything()[0] if r.finished and r.record.dataset.name == dataset.name
    ]
    found.warnings.extend(pretraining.warnings(there))
    labels, source = _label_errors(dataset, run, there)
    moved = None
    if fix:
        dataset, moved = auditing.fix(dataset, found, by=group_by, seed=seed, name=called)
    if as_json:
        output.emit_json(_audit_record(dataset, found, labels, source, moved))
        return
    _show_leaks(found)
    _show_copies(found)
    _show_balance(found)
    _show_labels(labels, source)
    _show_verdict(dataset, found, moved, called)


def _label_errors(
    dataset: Dataset, name: str | None, there: Sequence[Run]
) -> tuple[pd.DataFrame | None, str]:
    """Suspects among the labels as they are now, by the named run, or by the newest of those that
    tested the most tracks."""
    from mgc.datasets.quality.label_errors import label_errors
    from mgc.runs import selection

    if name is not None:
        run = selection.one(name, dataset.name)
        choice.check_dataset([run], dataset.name)
    else:
        if not there:
            return None, ""
        run = max(enumerate(there), key=lambda pair: (len(pair[1].rows("test")), pair[0]))[1]
    labels = dataset.tracks.set_index("track_id")["genre"]
    rows = run.predictions.assign(genre=run.predictions["track_id"].map(labels))
    return label_errors(rows, run.genres), run.name


def _audit_record(
    dataset: Dataset, found: Audit, labels: pd.DataFrame | None, source: str, moved: int | None
) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "tracks": len(found.tracks),
        "left_out": found.left_out,
        "clean": found.clean,
        "leaks": [
            vars(leak)
            | {"examples": [{"name": label, "splits": where} for label, where in leak.examples]}
            for leak in found.leaks
        ],
        "copies": [
            {name: getattr(pair, name) for name in COPY_FIELDS}
            | {"error": round(pair.error, 4), "offset": round(pair.offset, 2)}
            for pair in found.copies
        ],
        "balance": {
            str(genre): {str(part) or "none": int(n) for part, n in row.items()}
            for genre, row in found.balance.iterrows()
        },
        "warnings": found.warnings,
        "label_errors": None if labels is None else labels.to_dict("records"),
        "label_errors_from": source,
        "moved": moved,
    }


def _show_leaks(found: Audit) -> None:
    rows = []
    for leak in found.leaks:
        examples = "; ".join(
            f"{label} ({', '.join(f'{part} {n}' for part, n in where.items())})"
            for label, where in leak.examples[:2]
        )
        rows.append([leak.by, f"{leak.groups:,}", f"{leak.tracks:,}", examples])
    if rows:
        columns = ["leakage by", "groups that cross", "their tracks", "the largest"]
        output.show_table(columns, rows, right=columns[1:3])
    else:
        output.say("Leakage: unknown, because no artist or album is known.")


def _show_copies(found: Audit) -> None:
    if not found.copies:
        output.say("Copies: no two tracks are the same recording.")
        return
    rows = [
        [
            pair.first,
            pair.second,
            pair.kind,
            "" if pair.kind == "exact" else f"{100 * pair.error:.0f} %",
            "" if pair.kind == "exact" else f"{pair.offset:+.1f} s",
            " / ".join(dict.fromkeys(part or "none" for part in pair.splits)),
            " / ".join(dict.fromkeys(pair.genres)),
        ]
        for pair in found.copies
    ]
    columns = ["copies", "of", "kind", "bits differ", "begins", "split", "genre"]
    output.show_table(columns, rows[:SHOWN], right=["bits differ", "begins"])
    crossing = sum(pair.crosses for pair in found.copies)
    more = f"; the first {SHOWN} are shown, --json has all" if len(rows) > SHOWN else ""
    output.say(f"{output.count(len(rows), 'pair')} of copies, {crossing} across splits{more}.")


def _show_balance(found: Audit) -> None:
    parts = [str(part) or "none" for part in found.balance]
    rows = [[genre, *counts, sum(counts)] for genre, *counts in found.balance.itertuples()]
    output.show_table(["balance", *parts, "all"], rows, right=[*parts, "all"])
    for warning in found.warnings:
        output.say(f"  {warning}")


def _show_labels(labels: pd.DataFrame | None, source: str) -> None:
    if labels is None:
        output.note(
            "Likely label errors: shown once there is a run, ideally from mgc fit --folds 5."
        )
        return
    output.say(
        f"Likely label errors by {source} (confident learning): {len(labels)}, of which about "
        f"{labels['chance'].sum():.0f} are wrong; the largest margin first"
    )
    wanted = ["track_id", "genre", "suggested", "confidence", "margin"]
    rows = [
        [*names, output.percent(confidence), f"{margin:.2f}"]
        for *names, confidence, margin in labels[wanted].head(SHOWN).to_numpy()
    ]
    if rows:
        columns = ["track", "labelled", "sounds like", "% for its label", "margin"]
        output.show_table(columns, rows, right=columns[3:])


def _show_verdict(dataset: Dataset, found: Audit, moved: int | None, called: str) -> None:
    if moved is not None:
        output.say(
            f"Wrote the split {called!r} and switched to it: {output.count(moved, 'track')} moved."
        )
        output.note(f"To go back: mgc data split {dataset.name} --list, then --use NAME")
    elif found.clean:
        output.say("Clean: no known artist, album or recording crosses a split.")
    else:
        output.say(
            f"Not clean. To make a split that nothing crosses: mgc data audit {dataset.name} --fix"
        )
