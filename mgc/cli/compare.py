"""``mgc compare``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mgc.cli import output
from mgc.cli.options import DataName
from mgc.cli.output import JsonOption
from mgc.errors import UsageError

if TYPE_CHECKING:
    from mgc.evaluation.agreement import Agreement
    from mgc.evaluation.compare import Comparison
    from mgc.evaluation.systems import System

FIGURES = ("precision", "recall", "f1")
#: The columns of the table, as they are called in files.
COLUMNS = (
    "name", "kind", "precision", "recall", "f1", "accuracy", "accuracy_low", "accuracy_high",
    "tracks", "seeds", "seed_interval", "difference", "difference_low", "difference_high", "p",
    "p_adjusted", "mcnemar_p", "f1_difference", "f1_p", "best_share", "rank",
)  # fmt: skip
SURE, SURER = 0.05, 0.01
WIDE = 104  # characters; a narrower terminal goes without the columns that names imply


def compare(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="Runs to compare; default: the newest of each on the dataset."
        ),
    ] = None,
    data: DataName = None,
    reference: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Test against this one (default: the best single)."),
    ] = None,
    by_genre: Annotated[
        bool, typer.Option("--by-genre", help="Show F1 genre by genre as well.")
    ] = False,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="Show how far the single systems agree as well.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put runs side by side: precision, recall, F1 (macro), accuracy, intervals, paired tests."""
    if as_csv + markdown + as_json > 1:
        raise UsageError("Only one of --csv, --markdown and --json can be printed.", "Choose one.")
    from mgc.evaluation.compare import compare

    systems = _systems(names or [], data)
    made = compare(systems, reference)
    if as_json:
        output.emit_json(_json(made, systems, by_genre, agreement))
    elif as_csv:
        _write_csv(made)
    elif markdown:
        output.say("\n".join(markdown_table(made)))
    else:
        _show(made, systems, by_genre, agreement)


def _systems(names: Sequence[str], data: str | None) -> list[System]:
    from mgc import asking, runs
    from mgc.ensembling import latest
    from mgc.evaluation.systems import systems

    if names:
        return systems([runs.load_finished(name) for name in names])
    dataset = asking.dataset(data).name
    found, errors = runs.everything()
    for error in errors:
        output.note(f"{error.message} {error.hint}")
    chosen = latest(found, dataset)
    if not chosen:
        raise UsageError(f"There is no finished run on {dataset}.", "Run: mgc fit --extractor mfcc")
    return systems(chosen)


def _json(
    made: Comparison, systems: Sequence[System], by_genre: bool, agreement: bool
) -> list[dict[str, Any]]:
    """The rows; genres and agreement are further keys of each."""
    rows = [dict(row) for row in made.rows]
    if by_genre:
        from mgc.evaluation.compare import by_genre as genre_table

        table = genre_table(systems)
        for row in rows:
            row["f1_by_genre"] = {str(g): float(v) for g, v in table[row["name"]].items()}
    if agreement:
        from mgc.evaluation.agreement import agreement as find

        found = find(_diverse(systems))
        for row in rows:
            row["agreement"] = [p for p in found.pairs if row["name"] in (p["first"], p["second"])]
            row["oracle"] = found.oracle
    return rows


def _write_csv(made: Comparison) -> None:
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(made.rows)


def _show(made: Comparison, systems: Sequence[System], by_genre: bool, agreement: bool) -> None:
    narrow = sys.stdout.isatty() and output.console().width < WIDE
    seeds = not narrow and any(row["seeds"] > 1 for row in made.rows)
    columns = ["name", *([] if narrow else ["kind"]), "prec.", "recall", "F1", "acc. %"]
    columns += ["95 % interval", "tracks", *(["± seeds"] if seeds else [])]
    rows = []
    for row in made.rows:
        name, kind, *figures = _cells(row)
        rows.append(
            [name, *([] if narrow else [kind]), *figures, *([_spread(row)] if seeds else [])]
        )
    output.show_table(columns, rows, right=[c for c in columns if c not in ("name", "kind")])
    output.say(verdict(made))
    if made.reference is not None:
        _show_tests(made)
    elif len(made.rows) > 1:
        output.note("These runs have no split (folds and seed) in common: nothing can be paired.")
    if by_genre:
        _show_genres(systems)
    if agreement:
        _show_agreement(systems)


def _cells(row: Mapping[str, Any]) -> list[str]:
    best = " ◂" if row["rank"] == 1 else ""
    return [
        row["name"] + best,
        row["kind"],
        *(f"{row[name]:.3f}" for name in FIGURES),
        output.percent(row["accuracy"]),
        interval(row),
        f"{row['tracks']:,}",
    ]


def interval(row: Mapping[str, Any]) -> str:
    """The interval of an accuracy, in percent."""
    return f"{output.percent(row['accuracy_low'])}–{output.percent(row['accuracy_high'])}"


def _spread(row: Mapping[str, Any]) -> str:
    half = row["seed_interval"]
    return "" if half is None else f"{100 * half:.1f} ({row['seeds']})"


def verdict(made: Comparison) -> str:
    """What the figures allow to be said of the best, and no more."""
    best = [row["name"] for row in made.rows if row["rank"] == 1]
    first = made.rows[0]
    said = f"Best: {' and '.join(best)}, {output.percent(first['accuracy'])} % ({interval(first)})"
    if made.reference is None or made.reference in best:
        return f"{said}."
    against = f"{made.reference}, p = {p_value(first['p_adjusted'])}"
    if first["p_adjusted"] < SURE:
        return f"{said}; better than {against}."
    return f"{said}; on these tracks not to be told from {against}."


def mark(row: Mapping[str, Any]) -> str:
    """``**`` and ``*`` for p < 0.01 and < 0.05, adjusted for the number of comparisons."""
    p = row.get("p_adjusted")
    if p is None:
        return ""
    return "**" if p < SURER else "*" if p < SURE else ""


def _show_tests(made: Comparison) -> None:
    rows = []
    for row in made.rows:
        if not row["reference"]:
            between = f"{100 * row['difference_low']:+.1f} … {100 * row['difference_high']:+.1f}"
            rows.append(
                (
                    row["name"],
                    f"{100 * row['difference']:+.1f} {mark(row)}".rstrip(),
                    between,
                    p_value(row["p"]),
                    p_value(row["mcnemar_p"]),
                    f"{row['f1_difference']:+.3f}",
                    p_value(row["f1_p"]),
                )
            )
    columns = [
        "against " + str(made.reference),
        "Δ acc.",
        "95 % interval",
        "p",
        "McNemar",
        "Δ F1",
        "p (F1)",
    ]
    output.show_table(columns, rows, right=columns[2:])
    output.note(footnote(made))


def p_value(value: float) -> str:
    """``0.032``, ``< 0.001``."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def footnote(made: Comparison) -> str:
    """How the intervals and tests were made."""
    units = f"{made.groups:,} groups (artists) of" if made.groups else ""
    return (
        f"Paired on {units} {made.tracks:,} tracks; bootstrap with {made.resamples:,} resamples of "
        f"whole {'groups' if made.groups else 'tracks'}; * p < {SURE}, ** p < {SURER} after Holm's "
        "correction for the number of rows. McNemar's test (mid-p) takes tracks as independent."
    ).replace("  ", " ")


def _show_genres(systems: Sequence[System]) -> None:
    from mgc.evaluation.compare import by_genre

    table = by_genre(systems)
    counts = table.pop("tracks")
    singles = [system.name for system in systems if system.kind == "single"]
    rows = []
    for genre, values in table.iterrows():
        won = max((values[name] for name in singles), default=None)
        cells = [
            f"{value:.2f}{' ◂' if name in singles and value == won and len(singles) > 1 else ''}"
            for name, value in values.items()
        ]
        rows.append([genre, *cells, counts[genre]])
    columns = ["F1 by genre", *table.columns, "tracks"]
    output.show_table(columns, rows, right=columns[1:])
    if len(singles) > 1:
        output.note("◂ the best single system for the genre")


def _diverse(systems: Sequence[System]) -> list[System]:
    """The single systems where there are several, else all."""
    singles = [system for system in systems if system.kind == "single"]
    return singles if len(singles) > 1 else list(systems)


def _show_agreement(systems: Sequence[System]) -> None:
    from mgc.evaluation.agreement import agreement

    found: Agreement = agreement(_diverse(systems))
    rows = [
        (
            pair["first"],
            pair["second"],
            output.percent(pair["agreement"]),
            f"{pair['kappa']:.2f}",
            output.percent(pair["both_wrong"]),
            output.percent(pair["either_right"]),
        )
        for pair in found.pairs
    ]
    columns = ["one", "other", "agree %", "kappa", "both wrong %", "either right %"]
    output.show_table(columns, rows, right=columns[2:])
    output.say(
        f"A perfect choice among them would be right on {output.percent(found.oracle)} % of "
        f"{output.count(found.tracks, 'track')}; all are right on "
        f"{output.percent(found.all_right)} %, none on {output.percent(found.none_right)} %."
    )


def markdown_table(made: Comparison) -> list[str]:
    """The table as Markdown lines, the best in bold, marks explained below."""
    lines = [
        "| name | kind | precision | recall | F1 | accuracy % | 95 % interval | tracks |",
        "|---|---|--:|--:|--:|--:|:-:|--:|",
    ]
    for row in made.rows:
        accuracy = output.percent(row["accuracy"])
        accuracy = f"**{accuracy}**" if row["rank"] == 1 else accuracy
        figures = " | ".join(f"{row[name]:.3f}" for name in FIGURES)
        lines.append(
            f"| {_escaped(row['name'])} | {row['kind']} | {figures} | "
            f"{accuracy}{mark(row).replace('*', chr(92) + '*')} | {interval(row)} | "
            f"{row['tracks']:,} |"
        )
    if made.reference is not None:
        note = footnote(made).replace("*", "\\*")
        lines += ["", f"Tested against {_escaped(made.reference)}. {note}"]
    return lines


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
