"""``mgc data``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mgc.cli import output
from mgc.cli.live import progress
from mgc.cli.output import JsonOption
from mgc.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Datasets: music with genres, split for honest tests.")


class GroupBy(StrEnum):
    """What never crosses from training to test."""

    artist = "artist"
    album = "album"
    both = "artist+album"
    none = "none"


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What to call it; 'demo' synthesises a dataset.")],
    path: Annotated[
        Path | None,
        typer.Argument(help="A folder of genre folders, or a CSV or Parquet table."),
    ] = None,
    group_by: Annotated[
        GroupBy | None, typer.Option(help="Keep these together (default: artist where known).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split (and of the demo's music).")] = 0,
    drop_rare: Annotated[
        bool, typer.Option("--drop-rare", help="Leave out genres with fewer than 3 tracks.")
    ] = False,
) -> None:
    """Add a dataset; the audio stays where it is."""
    from mgc.datasets import importing

    if path is None:
        if name != "demo":
            raise UsageError(
                f"Where is the music of {name!r}?", f"Run: mgc data add {name} PATH"
            )
        dataset = importing.add_demo(name, seed=seed, progress=progress())
    else:
        dataset = importing.add_path(
            name, path, group_by=group_by and group_by.value, seed=seed, drop_rare=drop_rare
        )
    tracks = dataset.tracks
    output.say(
        f"Added {name}: {output.count(len(tracks), 'track')}, "
        f"{output.count(len(dataset.genres), 'genre')}, grouped by {dataset.record['group_by']}."
    )
    for what, number in dataset.record.get("left_out", {}).items():
        output.say(f"Left out: {what} ({output.count(number, 'track')}).")
    output.note(f"Next: mgc fit --extractor mfcc --data {name}")


@app.command("list")
def list_datasets(as_json: JsonOption = False) -> None:
    """List the datasets."""
    from mgc.datasets import table
    from mgc.home import setting

    found = [table.load(name) for name in table.names()]
    rows = [
        {
            "name": dataset.name,
            "tracks": len(dataset.tracks),
            "genres": len(dataset.genres),
            "group_by": dataset.record.get("group_by", "none"),
            "source": dataset.record.get("source", ""),
            "default": dataset.name == setting("dataset") or len(found) == 1,
        }
        for dataset in found
    ]
    if as_json:
        output.emit_json(rows)
    elif rows:
        cells = [[*list(row.values())[:-1], "*" if row["default"] else ""] for row in rows]
        output.show_table(
            ["name", "tracks", "genres", "grouped by", "source", "default"],
            cells,
            right=["tracks", "genres"],
        )
    else:
        output.say("There is no dataset yet. Run: mgc data add NAME PATH, or: mgc data add demo")


@app.command("show")
def show(name: str, as_json: JsonOption = False) -> None:
    """Show what is in a dataset."""
    from mgc.datasets import table

    dataset = table.load(name)
    counts = dataset.tracks.groupby(["genre", "split"]).size().unstack(fill_value=0)
    if as_json:
        output.emit_json(
            {
                "name": name,
                **dataset.record,
                "root": str(dataset.root),
                "genres": {str(g): {str(k): int(v) for k, v in row.items()} for g, row in counts.iterrows()},
            }
        )
        return
    rows = [[genre, *row.tolist(), int(row.sum())] for genre, row in counts.iterrows()]
    columns = ["genre", *map(str, counts.columns), "all"]
    output.show_table(columns, rows, right=columns[1:])


@app.command("remove")
def remove(name: str) -> None:
    """Forget a dataset (your audio is not touched)."""
    from mgc.datasets import table

    table.remove(name)
    output.say(f"Removed {name}.")


@app.command("use")
def use(name: str) -> None:
    """Make a dataset the default of other commands."""
    from mgc.datasets import table
    from mgc.home import store_setting

    table.load(name)
    store_setting("dataset", name)
    output.say(f"{name} is now the default dataset.")
