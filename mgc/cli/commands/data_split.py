"""``mgc data split`` and ``mgc data export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mgc.cli.ui import output
from mgc.cli.ui.output import JsonOption
from mgc.errors import UsageError

#: What never crosses from training to test; as in mgc.datasets.splits, which is slow to import.
GroupBy = Literal["artist", "album", "artist+album", "none"]
DatasetName = Annotated[str | None, typer.Argument(help="Default: see mgc data use.")]


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
        int, typer.Option(help="Seed of the split; another seed gives another split.")
    ] = 0,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Read the split from a table with the columns track_id and split."
        ),
    ] = None,
    use: Annotated[str | None, typer.Option(help="Switch back to the split of this name.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Only list the splits.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a split and name it, read one from a table, or switch back to an earlier one."""
    from mgc.datasets import named_splits, table

    dataset = table.load(name or table.default_name())
    if sum([list_, use is not None, from_ is not None]) > 1:
        raise UsageError("--list, --use and --from cannot be combined.", "Give only one of them.")
    by: GroupBy = group_by or dataset.record.get("group_by", "none")
    if use is not None:
        dataset = named_splits.use(dataset, use)
    elif from_ is not None:
        dataset = named_splits.read(dataset, called or from_.stem.lower(), from_)
    elif not list_:
        dataset = named_splits.make(dataset, called or f"{by}-{seed}".replace("+", "-"), by, seed)
    _show(dataset, as_json)


def _show(dataset: object, as_json: bool) -> None:
    from mgc.datasets import grouping, named_splits
    from mgc.datasets.summary import summary

    found = summary(dataset)  # type: ignore[arg-type]
    stored = {**dataset.record.get("splits", {})}  # type: ignore[attr-defined]
    stored[found["split"]["name"]] = found["split"]
    rows = [
        {
            "name": each,
            "made": stored.get(each, {}).get("made", ""),
            "grouped_by": stored.get(each, {}).get("grouped_by", ""),
            "seed": stored.get(each, {}).get("seed"),
            "in_use": each == found["split"]["name"],
        }
        for each in named_splits.names(dataset)  # type: ignore[arg-type]
    ]
    if as_json:
        output.emit_json({"splits": rows, "tracks": found["splits"]})
        return
    cells = [[*list(row.values())[:-1], "*" if row["in_use"] else ""] for row in rows]
    output.show_table(["split", "made", "grouped by", "seed", "in use"], cells)
    parts = " · ".join(f"{part} {count:,}" for part, count in found["splits"].items())
    output.say(f"{found['split']['name']}: {parts}; {grouping.words(found['grouping'])}")
    for remark in found["remarks"]:
        output.note(f"Note: {remark}")


def export(
    name: Annotated[str, typer.Argument(help="The dataset.")],
    file: Annotated[Path, typer.Argument(help="A .csv, .tsv or .parquet file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a dataset's table, including its split; ``mgc data add`` reads it back."""
    from mgc.datasets import summary, table

    dataset = table.load(name)
    summary.export(dataset, file, replace=force)
    output.say(f"Wrote {output.count(len(dataset.tracks), 'track')} to {file}.")
