"""``mgc features status``, ``verify``, ``prune`` and ``clear``: what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mgc.cli.ui import output, verification
from mgc.errors import MgcError

Write = Annotated[bool, typer.Option("--write", help="Do it, not only show it.")]


def _folder() -> Path:
    """Where the stores are. Raises MgcError if that is no folder."""
    from mgc.features.store_folders import features_root

    if isinstance(root := features_root(), Path):
        return root
    raise MgcError(
        f"{root} is an object store, which other machines may use.",
        "List it, and remove what nobody needs, with the tools of the object store.",
    )


def status(as_json: output.JsonOption = False) -> None:
    """Show which features are stored, and how much space they take."""
    from mgc.features.store_folders import stores

    _folder()
    damaged = list[MgcError]()
    rows = [_status(folder, record, damaged) for folder, record in stores(damaged)]
    output.list_failures([f"{error.message} {error.hint}" for error in damaged])
    if as_json:
        output.emit_json(rows)
        return
    if not rows:
        output.say("No features are stored. Run: mgc features extract mel mfcc chroma --data NAME")
        return
    cells = [
        {
            "extractor": row["extractor"],
            "fingerprint": row["fingerprint"],
            "tracks": row["tracks"],
            "shards": row["shards"],
            "MB": row["megabytes"],
            "clip s": row["clip_seconds"],
            "parameters": " ".join(
                [f"{name}={value}" for name, value in row["params"].items()]
                + ["pooled"] * row["pooled"]
            ),
        }
        for row in rows
    ]
    output.show_records(cells, "llrrrrl")
    output.say(f"In all: {sum(row['megabytes'] for row in rows):,.1f} MB")


def _status(folder: Path, record: dict[str, Any], damaged: list[MgcError]) -> dict[str, Any]:
    """One store; why its shards cannot be read is added to ``damaged``, and then its number of
    tracks is None."""
    from mgc.features.store.backends import place
    from mgc.features.store.track_rows import TrackRows

    identity, here, tracks = record["identity"], place(folder.parent, folder.name), None
    try:
        tracks = len(TrackRows.opened(here))
    except MgcError as error:
        damaged.append(error)
    sizes = [int(stamp.split()[0]) for stamp in here.stamps().values()]
    return {
        "extractor": identity["extractor"],
        "fingerprint": record["fingerprint"][:12],
        "tracks": tracks,
        "shards": len(sizes),
        "megabytes": round(sum(sizes) / 1e6, 1),
        "params": identity["params"],
        "pooled": "pooled" in identity,
        "clip_seconds": identity["clip_seconds"],
        "clips_per_track": identity["clips_per_track"],
        "made_by": record["made_by"],
        "folder": str(folder),
    }


def verify(add: verification.AddOption = False, as_json: output.JsonOption = False) -> None:
    """Check that stored features are as they were written; what is damaged is removed."""
    from mgc.features import store

    _folder()
    found = [(one.folder.name, one.verify(add=add)) for one in store.opened_stores()]
    remedy = "Removed from the store; the next mgc features extract, or fit, makes them again."
    verification.show("features", found, remedy, as_json)


def prune(write: Write = False, as_json: output.JsonOption = False) -> None:
    """Remove features of music that no dataset and no run refers to; they can be made again."""
    import os

    from mgc.features import pruning

    root = _folder()
    if os.environ.get("MGC_FEATURES"):
        output.note(f"What other homes refer to in {root} is not known here.")
    found = [one for one in pruning.unused(pruning.in_use()) if one.stored]
    for one in found if write else ():
        pruning.remove(one)
    rows = [
        {
            "store": one.store.folder.name,
            "tracks": one.stored,
            "unused": len(one.tracks),
            "MB": round(one.bytes / 1e6, 1),
        }
        for one in found
    ]
    if as_json:
        output.emit_json(rows)
        return
    if rows:
        output.show_records(rows, "lrrr")
    if not any(one.tracks for one in found):
        output.say("All stored features are of music that a dataset or a run refers to.")
        return
    total = f"{sum(one.bytes for one in found) / 1e6:,.1f} MB of features that nothing refers to"
    output.say(f"Removed {total}." if write else f"{total}. Remove them: add --write")


def clear(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Extractors (default: all).")
    ] = None,
) -> None:
    """Delete stored features; they can be made again from the audio."""
    from mgc.errors import unknown
    from mgc.features.store_folders import stores
    from mgc.home import remove_folder

    _folder()
    found = list(stores())
    there = {record["identity"]["extractor"] for _, record in found}
    for name in names or []:
        if name not in there:
            raise unknown("stored feature", name, there, "mgc features status")
    chosen = [folder for folder, r in found if not names or r["identity"]["extractor"] in names]
    for folder in chosen:
        remove_folder(folder)
    output.say(f"Removed {output.count(len(chosen), 'store')}.")
