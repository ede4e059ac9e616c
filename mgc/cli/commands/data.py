"""``mgc data``: the group and its short commands; the longer ones have their own files."""

from __future__ import annotations

from typing import Any

import typer

from mgc.cli.commands import data_add, data_quality, data_split
from mgc.cli.commands.data_split import DatasetName
from mgc.cli.ui import output
from mgc.cli.ui.output import JsonOption

BAR = 30  # characters in the longest bar

app = typer.Typer(no_args_is_help=True, help="Datasets: music with genres, split for honest tests.")
app.command("add")(data_add.add)
app.command("download")(data_add.download)


@app.command("list")
def list_datasets(as_json: JsonOption = False) -> None:
    """List the datasets."""
    from mgc.datasets import table
    from mgc.home import setting

    found, errors = table.records()
    rows = [
        {
            "name": record["name"],
            "tracks": record["tracks"],
            "genres": len(record.get("genres", [])),
            "group_by": record.get("group_by", "none"),
            "group_known": record.get("grouping", {}).get("known"),
            "source": record.get("source", ""),
            "default": record["name"] == setting("dataset") or len(found) == 1,
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
        output.show_table(
            ["name", "tracks", "genres", "grouped by", "source", "default"],
            cells,
            right=["tracks", "genres"],
        )
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
def show(name: DatasetName = None, as_json: JsonOption = False) -> None:
    """Show what is in a dataset."""
    from mgc.datasets import table
    from mgc.datasets.summary import summary

    found = summary(table.load(name or table.default_name()))
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
        [genre, counts["tracks"], "█" * max(1, round(BAR * counts["tracks"] / longest))]
        + [counts[part] for part in parts]
        for genre, counts in found["genres"].items()
    ]
    output.show_table(["genre", "tracks", "", *parts], rows, right=["tracks", *parts])


def _hours(found: dict[str, Any]) -> str:
    unknown = found["tracks_of_unknown_length"]
    if unknown == found["tracks"]:
        return "of unknown length"
    hours = (
        f"{found['hours']:,.1f} hours"
        if found["hours"] >= 1
        else f"{60 * found['hours']:.0f} minutes"
    )
    return hours + (f" (without {unknown:,} of unknown length)" if unknown else "")


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    from mgc.audio.audio_files import unit
    from mgc.datasets import grouping

    split = found["split"]
    by = ", " + grouping.words(found["grouping"])
    parts = " · ".join(f"{part} {count:,}" for part, count in found["splits"].items())
    lines = [
        ("audio", found["root"]),
        ("split", f"{split['name']} ({split.get('made', '')}{by}): {parts}"),
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
    lines += [("unreadable", line) for line in found["unreadable"]]
    lines += [("note", remark) for remark in found["remarks"]]
    bad = ", ".join(f"{fault} {n:,}" for fault, n in found["quarantined"].items())
    if bad or found["checked"]:
        lines.append(("quarantine", bad or "none"))
    else:
        lines.append(("quarantine", f"not checked yet: mgc data check {found['name']}"))
    return lines


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
    from mgc.home import store_setting

    table.load(name)
    store_setting("dataset", name)
    output.say(f"{name} is now the default dataset.")


app.command("check")(data_quality.check)
app.command("audit")(data_quality.audit)
app.command("split")(data_split.split)
app.command("export")(data_split.export)
