"""``mgc data``: the group and its short commands; the longer ones have their own files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mgc.cli.commands import data_add, data_correct, data_quality
from mgc.cli.ui import output
from mgc.cli.ui.options import DatasetName, GroupBy, existing, refuse_unused, writable
from mgc.errors import UsageError

BAR = 30  # characters in the longest bar

app = typer.Typer(no_args_is_help=True, help="Datasets: music with genres, split for honest tests.")
app.command("add")(data_add.add)
app.command("download")(data_add.download)


@app.command("list")
def list_datasets(as_json: output.JsonOption = False) -> None:
    """List the datasets."""
    from mgc.datasets import table
    from mgc.datasets.default import chosen_default

    found, errors = table.records()
    chosen = chosen_default()
    rows = [
        {
            "name": record["name"],
            "tracks": record["tracks"],
            "genres": len(record.get("genres", [])),
            "group_by": record.get("group_by", "none"),
            "group_known": record.get("grouping", {}).get("known"),
            "source": record.get("source", ""),
            "default": record["name"] == chosen or len(found) == 1,
        }
        for record in found
    ]
    for error in errors:
        output.note(error.message)
    if as_json:
        output.emit_json(rows)
    elif rows:
        cells = [
            [r["name"], r["tracks"], r["genres"], _grouped(r), r["source"], "*" * r["default"]]
            for r in rows
        ]
        columns = ["name", "tracks", "genres", "grouped by", "source", "default"]
        output.show_table(columns, cells, "lrrl")
    else:
        output.say("There are no datasets yet. Run: mgc data add NAME PATH, or: mgc data add demo")


def _grouped(row: dict[str, Any]) -> str:
    """What a dataset's tracks are grouped by, and for how many that is known."""
    by, known, tracks = row["group_by"], row["group_known"], row["tracks"]
    if by == "none" or known == tracks:
        return str(by)
    if known is None:  # added by an older version, which did not count
        return f"{by}, if known (mgc data show {row['name']})"
    return f"{by} ({known:,} of {tracks:,} known)"


@app.command("show")
def show(name: DatasetName = None, as_json: output.JsonOption = False) -> None:
    """Show what is in a dataset."""
    from mgc.datasets import table

    dataset = table.load(name or table.default_name())
    from mgc.datasets.summary import summary

    found = summary(dataset)
    if as_json:
        output.emit_json(found)
        return
    known = [f"{found[kind]:,} {kind}" for kind in ("artists", "albums") if found[kind]]
    output.say(
        f"{found['name']}: {output.count(found['tracks'], 'track')}, {_hours(found)}, "
        + ", ".join([output.count(len(found["genres"]), "genre"), *known])
    )
    for label, text in _lines(found):
        output.say(f"  {label:<11} {text}")
    longest = max(counts["tracks"] for counts in found["genres"].values())
    parts = list(found["splits"])
    rows = [
        [genre, n, "█" * max(1, round(BAR * n / longest)), *(counts[part] for part in parts)]
        for genre, counts in found["genres"].items()
        for n in [counts["tracks"]]
    ]
    output.show_table(["genre", "tracks", "", *parts], rows, right=["tracks", *parts])


def _hours(found: dict[str, Any]) -> str:
    unknown = found["tracks_of_unknown_length"]
    if unknown == found["tracks"]:
        return "of unknown length"
    hours = found["hours"]
    text = f"{hours:,.1f} hours" if hours >= 1 else output.count(round(60 * hours), "minute")
    return text + (f" (without {unknown:,} of unknown length)" if unknown else "")


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    from mgc.audio.audio_files import unit
    from mgc.datasets import grouping

    split = found["split"]
    by = ", " + grouping.words(found["grouping"])
    lines = [
        ("audio", found["root"]),
        ("split", f"{split['name']} ({split.get('made', '')}{by}): {_counted(found['splits'])}"),
    ]
    if len(found["split_names"]) > 1:
        lines.append(("splits", ", ".join(found["split_names"])))
    if found["folds"]:
        folds = found["folds"]
        lines.append(("folds", f"{folds} given by the table: mgc fit --folds {folds}"))
    if found["left_out"]:
        reasons = [
            f"{what} ({output.count(n, unit(what))})" for what, n in found["left_out"].items()
        ]
        lines.append(("left out", ", ".join(reasons)))
    if found["corrections"]:
        lines.append(("corrected", data_correct.words(found["corrections"])))
    lines += [("unreadable", line) for line in found["unreadable"]]
    lines += [("note", remark) for remark in found["remarks"]]
    unknown = "none" if found["checked"] else f"not checked yet: mgc data check {found['name']}"
    return [*lines, ("quarantine", _counted(found["quarantined"], ", ") or unknown)]


def _counted(counts: dict[str, int], between: str = " · ") -> str:
    return between.join(f"{what} {number:,}" for what, number in counts.items())


@app.command("remove")
def remove(name: str) -> None:
    """Forget a dataset (your audio is not touched)."""
    from mgc.datasets import table

    table.remove(name)
    output.say(f"Removed {name}.")


@app.command("use")
def use(name: str) -> None:
    """Make a dataset the default for other commands."""
    from mgc.datasets import table
    from mgc.datasets.default import choose_default

    table.load(name)
    choose_default(name)
    output.say(f"{name} is now the default dataset.")


app.command("check")(data_quality.check)
app.command("audit")(data_quality.audit)
app.command("correct")(data_correct.correct)


@app.command("split")
def split(
    name: DatasetName = None,
    called: Annotated[
        str | None,
        typer.Option("--as", help="Name of the new split (default: derived from how it is made)."),
    ] = None,
    group_by: Annotated[
        GroupBy | None,
        typer.Option(help="Keep tracks with the same value together (default: as when imported)."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the split; another seed gives another split.", min=0)
    ] = 0,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Read the split from a table with the columns track_id and split.",
            callback=existing,
        ),
    ] = None,
    use: Annotated[str | None, typer.Option(help="Switch back to the split of this name.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Only list the splits.")] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Make a split and name it, read one from a table, or switch back to an earlier one."""
    from mgc.datasets import table

    if sum([list_, use is not None, from_ is not None]) > 1:
        raise UsageError("--list, --use and --from cannot be combined.", "Give only one of them.")
    if list_ or use or from_:
        own = {"--group-by": group_by, "--seed": seed, "--as": called and not from_}
        refuse_unused("with --list, --use or --from" if not from_ else "with --from", own)
    dataset = table.load(name or table.default_name())
    from mgc.datasets import grouping, named_splits
    from mgc.datasets.summary import summary

    by: GroupBy = group_by or dataset.record.get("group_by", "none")
    if use is not None:
        dataset = named_splits.use(dataset, use)
    elif from_ is not None:
        dataset = named_splits.read(dataset, called or from_.stem.lower(), from_)
    elif not list_:
        dataset = named_splits.make(dataset, called or f"{by}-{seed}".replace("+", "-"), by, seed)
    found = summary(dataset)
    now = found["split"]
    stored = {**dataset.record.get("splits", {}), now["name"]: now}
    rows = [
        {
            "name": each,
            "made": stored.get(each, {}).get("made", ""),
            "grouped_by": stored.get(each, {}).get("grouped_by", ""),
            "seed": stored.get(each, {}).get("seed"),
            "in_use": each == now["name"],
        }
        for each in named_splits.names(dataset)
    ]
    if as_json:
        output.emit_json({"splits": rows, "tracks": found["splits"]})
        return
    cells = [[*list(row.values())[:-1], "*" if row["in_use"] else ""] for row in rows]
    output.show_table(["split", "made", "grouped by", "seed", "in use"], cells)
    words = grouping.words(found["grouping"])
    output.say(f"{now['name']}: {_counted(found['splits'])}; {words}")
    for remark in found["remarks"]:
        output.note(f"Note: {remark}")


@app.command("export")
def export(
    name: Annotated[str, typer.Argument(help="The dataset.")],
    file: Annotated[
        Path, typer.Argument(help="A .csv, .tsv or .parquet file to write.", callback=writable)
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a dataset's table, including its split; ``mgc data add`` reads it back."""
    from mgc.datasets import table

    dataset = table.load(name)
    from mgc.datasets import summary

    summary.export(dataset, file, replace=force)
    output.say(f"Wrote {output.count(len(dataset.tracks), 'track')} to {file}.")
