"""``mgc features``."""

from __future__ import annotations

from typing import Annotated

import typer

from mgc.cli import catalogue, output
from mgc.cli.live import progress
from mgc.cli.options import ClipSeconds, ClipsPerTrack, DataName, Device, Settings
from mgc.cli.output import JsonOption

app = typer.Typer(no_args_is_help=True, help="Feature extractors, and the features they have made.")


@app.command("list")
def list_features(as_json: JsonOption = False) -> None:
    """List the extractors, built in and installed."""
    catalogue.show_list("extractor", as_json)


@app.command("show")
def show(name: str, as_json: JsonOption = False) -> None:
    """Show an extractor and its parameters."""
    catalogue.show_one("extractor", name, as_json)


@app.command("extract")
def extract(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Extractors.")],
    data: DataName = None,
    settings: Settings = None,
    clip_seconds: ClipSeconds = None,
    clips_per_track: ClipsPerTrack = None,
    device: Device = "auto",
) -> None:
    """Extract features of a dataset; each file is decoded once for all of them."""
    from mgc import asking, extraction

    dataset = asking.dataset(data)
    clips = asking.policy(clip_seconds, clips_per_track)
    sources = asking.sources(names, settings, clips, asking.device(device))
    made = extraction.extract(dataset.paths(), sources, progress())
    output.say(
        f"{' + '.join(names)}: {output.count(made.made, 'track')} extracted, "
        f"{made.found:,} already there, {len(made.failures):,} could not be used."
    )
    output.list_failures(made.failures)


@app.command("status")
def status(as_json: JsonOption = False) -> None:
    """Show what features are stored, and how much room they take."""
    from mgc import store

    rows = []
    for folder, record in store.stores():
        shards = list(folder.glob("*.safetensors"))
        identity = record["identity"]
        rows.append(
            {
                "extractor": identity["extractor"],
                "fingerprint": record["fingerprint"][:12],
                "shards": len(shards),
                "megabytes": round(sum(shard.stat().st_size for shard in shards) / 1e6, 1),
                "params": identity["params"],
                "clip_seconds": identity["clip_seconds"],
                "clips_per_track": identity["clips_per_track"],
                "made_by": record["made_by"],
                "folder": str(folder),
            }
        )
    if as_json:
        output.emit_json(rows)
        return
    if not rows:
        output.say("No features are stored. Run: mgc features extract mel mfcc chroma --data NAME")
        return
    shown = ["extractor", "fingerprint", "shards", "megabytes", "clip_seconds", "params"]
    cells = [[_plain(row[column]) for column in shown] for row in rows]
    output.show_table(
        ["extractor", "fingerprint", "shards", "MB", "clip s", "parameters"],
        cells,
        right=["shards", "MB", "clip s"],
    )


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={setting}" for name, setting in value.items())
    return str(value)


@app.command("clear")
def clear(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Extractors (default: all).")
    ] = None,
) -> None:
    """Delete stored features; they can be made again from the audio."""
    import shutil

    from mgc import store
    from mgc.errors import unknown

    found = list(store.stores())
    there = {record["identity"]["extractor"] for _, record in found}
    for name in names or []:
        if name not in there:
            raise unknown("stored feature", name, there, "mgc features status")
    chosen = [folder for folder, r in found if not names or r["identity"]["extractor"] in names]
    for folder in chosen:
        shutil.rmtree(folder)
    output.say(f"Removed {output.count(len(chosen), 'store')}.")
