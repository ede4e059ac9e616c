"""``mgc compare``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mgc.cli.ui import choice, output
from mgc.cli.ui.options import DataName, Every, Folds, Reference, refuse_unused
from mgc.errors import UsageError
from mgc.evaluation import compare_text

if TYPE_CHECKING:
    from mgc.evaluation.agreement import Agreement
    from mgc.evaluation.compare import Comparison
    from mgc.evaluation.systems import System

MIN_WIDE = 104  # characters; a narrower terminal omits the columns that the names imply


def compare(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="Runs to compare; default: the newest of each on the dataset."
        ),
    ] = None,
    data: DataName = None,
    folds: Folds = None,
    every: Every = False,
    reference: Reference = None,
    by_genre: Annotated[bool, typer.Option("--by-genre", help="Also show F1 by genre.")] = False,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="Also show how much the single systems agree.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Put runs side by side: precision, recall, F1 (macro), accuracy, intervals, paired tests."""
    if as_csv + markdown + as_json > 1:
        raise UsageError("Only one of --csv, --markdown and --json can be printed.", "Choose one.")
    if as_csv or markdown:
        form = "--csv" if as_csv else "--markdown"
        refuse_unused(f"with {form}", {"--by-genre": by_genre, "--agreement": agreement})
    taken = choice.selected(names or [], data, folds, every, reference).runs
    from mgc.evaluation.compare import compare
    from mgc.evaluation.systems import systems as grouped

    systems = grouped(taken)
    made = compare(systems, reference)
    choice.say_doubts([run for system in systems for run in system.runs])
    if as_json:
        output.emit_json(_json(made, systems, by_genre, agreement))
    elif as_csv:
        output.binary().write(compare_text.csv_text(made).encode("utf-8", "backslashreplace"))
    elif markdown:
        output.say("\n".join(compare_text.markdown(made)))
    else:
        show(made, systems, by_genre, agreement)


def _json(
    made: Comparison, systems: Sequence[System], by_genre: bool, agreement: bool
) -> list[dict[str, Any]]:
    """The rows; genres and agreement are additional keys of each."""
    from mgc.evaluation.coverage import system_figures

    answer = choice.answering(systems[0].runs[0].record.dataset.name)
    chosen = answer.run.name if answer else None
    sets = {system.name: system_figures(system) for system in systems}
    rows = [
        {**row, "answers": chosen in row["runs"], "sets": sets[row["name"]]} for row in made.rows
    ]
    if by_genre:
        from mgc.evaluation.compare import by_genre as genre_table

        found_f1 = genre_table(systems)
        for row in rows:
            row["f1_by_genre"] = {str(g): float(v) for g, v in found_f1[row["name"]].items()}
    if agreement:
        found = _agreement(systems)
        for row in rows:
            row["agreement"] = [p for p in found.pairs if row["name"] in (p["first"], p["second"])]
            row["oracle"] = found.oracle
    return rows


def show(
    made: Comparison, systems: Sequence[System], by_genre: bool = False, agreement: bool = False
) -> None:
    """Print the table, what can be said about the best, the tests, and any extras."""
    narrow = sys.stdout.isatty() and output.console().width < MIN_WIDE
    answer = choice.answering(systems[0].runs[0].record.dataset.name)
    rows = [
        {
            "name": row["name"] + (" ◂" if row["rank"] == 1 else ""),
            **({} if narrow else {"kind": row["kind"]}),
            "run": choice.marked(row["runs"], answer),
            "prec.": f"{row['precision']:.3f}",
            "recall": f"{row['recall']:.3f}",
            "F1": f"{row['f1']:.3f}",
            "acc. %": compare_text.accuracy(row),
            "95 % interval": compare_text.interval(row),
            "tracks": f"{row['tracks']:,}",
        }
        for row in made.rows
    ]
    output.show_records(rows, "llr" if narrow else "lllr")
    if narrow:
        output.note(f"The column 'kind' is left out: it needs a terminal of {MIN_WIDE} characters.")
    output.say(compare_text.verdict(made))
    _say_sets(next(system for system in systems if system.name == made.rows[0]["name"]))
    choice.explain(answer, [name for row in made.rows for name in row["runs"]])
    if made.reference is not None:
        _show_tests(made)
        if made.unpaired:
            others = ", ".join(made.unpaired)
            output.note(f"In the figures, not in the tests: {others} (other splits).")
    elif len(made.rows) > 1:
        output.note(
            "These runs have no split (folds and seed) in common, so nothing can be paired."
        )
    if by_genre:
        _show_genres(systems)
        _show_sets(systems)
    if agreement:
        _show_agreement(_agreement(systems))


def _show_tests(made: Comparison) -> None:
    rows = [
        {
            f"against {made.reference}": row["name"],
            "Δ acc.": f"{100 * row['difference']:+.1f} {compare_text.mark(row)}".rstrip(),
            "95 % interval": compare_text.difference_interval(row),
            "p": compare_text.p_value(row["p"]),
            "McNemar": compare_text.p_value(row["mcnemar_p"]),
            "Δ F1": f"{row['f1_difference']:+.3f}",
            "p (F1)": compare_text.p_value(row["f1_p"]),
        }
        for row in made.rows
        if not row["reference"]
    ]
    output.show_records(rows, "llr")
    output.note(compare_text.footnote(made))


def _show_genres(systems: Sequence[System]) -> None:
    from mgc.evaluation.compare import by_genre

    scores = by_genre(systems)
    counts = scores.pop("tracks")
    singles = [system.name for system in systems if system.kind == "single"]
    rows = []
    for genre, values in scores.iterrows():
        won = max((values[name] for name in singles), default=None)
        cells = [
            f"{value:.2f}{' ◂' if name in singles and value == won and len(singles) > 1 else ''}"
            for name, value in values.items()
        ]
        rows.append([genre, *cells, counts[str(genre)]])
    columns = ["F1 by genre", *scores.columns, "tracks"]
    output.show_table(columns, rows, right=columns[1:])
    if len(singles) > 1:
        output.note("◂ the best single system for the genre")


def _say_sets(best: System) -> None:
    from mgc.evaluation.coverage import COVERAGE, system_figures

    if found := system_figures(best):
        output.note(
            f"mgc predict --coverage {COVERAGE} with {best.name}: {found['size']:.1f} genres in a "
            f"set, the true one in {output.percent(found['share'])} % of them (--by-genre)"
        )


def _show_sets(systems: Sequence[System]) -> None:
    """Print how often the sets of each system hold the true genre, and how large they are."""
    from mgc.evaluation.coverage import COVERAGE, system_figures

    found = {s.name: figures for s in systems if (figures := system_figures(s)) is not None}
    if not found:
        return
    rows = []
    for genre in systems[0].runs[0].genres:
        held = [figures["by_genre"].get(genre) for figures in found.values()]
        rows.append([genre, *map(_set_cell, held)])
    rows.append(["all", *map(_set_cell, found.values())])
    columns = [f"in sets at {100 * COVERAGE:g} %", *found]
    output.show_table(columns, rows, right=columns[1:])
    output.note(
        "% of the tracks whose true genre is in the set (mgc predict --coverage), and how many "
        "genres a set has; each fold's sets are calibrated on the others"
    )


def _set_cell(figures: Mapping[str, Any] | None) -> str:
    return f"{output.percent(figures['share'])} ({figures['size']:.1f})" if figures else "–"


def _agreement(systems: Sequence[System]) -> Agreement:
    from mgc.evaluation.agreement import agreement, diverse

    return agreement(diverse(systems))


def _show_agreement(found: Agreement) -> None:
    rows = [
        {
            "one": pair["first"],
            "other": pair["second"],
            "agree %": output.percent(pair["agreement"]),
            "kappa": f"{pair['kappa']:.2f}",
            "both wrong %": output.percent(pair["both_wrong"]),
            "either right %": output.percent(pair["either_right"]),
        }
        for pair in found.pairs
    ]
    output.show_records(rows, "llr")
    output.say(
        f"A perfect choice among them would be right on {output.percent(found.oracle)} % of "
        f"{output.count(found.tracks, 'track')}; all are right on "
        f"{output.percent(found.all_right)} %, none on {output.percent(found.none_right)} %."
    )
