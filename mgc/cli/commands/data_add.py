"""``mgc data add`` and ``mgc data download``: bring in music."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mgc.cli.ui import output
from mgc.cli.ui.live import progress
from mgc.cli.ui.options import GroupBy, existing, refuse_unused
from mgc.errors import UsageError, unknown

if TYPE_CHECKING:
    from mgc.datasets.table import Dataset

FMA = tuple(f"fma-{subset}" for subset in ("small", "medium", "large", "full"))
GTZAN = "gtzan"
DEMO = "demo"

As = Annotated[str | None, typer.Option("--as", help="Call the dataset something other than NAME.")]

Source = Literal["tag", "folder"]


def add(
    name: Annotated[
        str,
        typer.Argument(
            help="What to call it. 'demo' synthesises a dataset; fma-small, fma-medium, fma-large, "
            "fma-full and gtzan are read from a folder tree on disk, each by its own rules."
        ),
    ],
    path: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of genre folders, a CSV or Parquet table, or a folder tree.",
            callback=existing,
        ),
    ] = None,
    path_option: Annotated[
        Path | None, typer.Option("--path", help="The same as PATH.", callback=existing)
    ] = None,
    group_by: Annotated[
        GroupBy | None,
        typer.Option(help="Keep tracks with the same value together (default: artist, if known)."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the split (and of the demo's music).", min=0)
    ] = 0,
    drop_rare: Annotated[
        bool, typer.Option("--drop-rare", help="Leave out genres that are too small to split.")
    ] = False,
    called: As = None,
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="FMA: the folder of tracks.csv, if it is not beside the audio.", callback=existing
        ),
    ] = None,
    filtered: Annotated[
        list[Path] | None,
        typer.Option(
            help="GTZAN: the lists of the fault-filtered split (train…, valid…, test…), or their "
            "folder; repeatable.",
            callback=existing,
        ),
    ] = None,
    artists: Annotated[
        Path | None,
        typer.Option(help="GTZAN: a list of clip and artist, to group by artist."),
    ] = None,
    genre_from: Annotated[
        Source | None,
        typer.Option(help="Where the files of a folder have their genre (default: folder)."),
    ] = None,
    artist_from: Annotated[
        Source | None,
        typer.Option(help="The same for artist and album (default: as for the genre)."),
    ] = None,
    several: Annotated[
        Literal["first", "skip", "join"] | None,
        typer.Option(
            help="Of a track with several genres, take the first, skip the track, or join them in "
            "one name."
        ),
    ] = None,
    genre_separator: Annotated[
        str | None, typer.Option(help="What alone separates genres in a tag or cell.")
    ] = None,
    genre_map: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help='Genres to rename or join: under [genres], lines such as "hip hop" = "Hip-Hop"; '
            '"" leaves one out.',
            callback=existing,
        ),
    ] = None,
) -> None:
    """Add a dataset; the audio stays where it is."""
    if path and path_option:
        raise UsageError("PATH is given twice.", f"Run: mgc data add {name} {path}")
    path = path or path_option
    _only(name in FMA, metadata is not None, "--metadata", "fma-small, -medium, -large and -full")
    _only(name == GTZAN, bool(filtered or artists), "--filtered and --artists", GTZAN)
    existing(artists)
    own = name in FMA or (name == DEMO and path is None)
    known = own or name == GTZAN
    unused: dict[str, object] = {"--group-by": own and group_by, "--seed": name in FMA and seed}
    naming: dict[str, Any] = {"genre_from": genre_from, "artist_from": artist_from}
    naming |= {"several": several, "genre_separator": genre_separator, "genre_map": genre_map}
    for option, given in {"drop_rare": drop_rare, **naming}.items():
        unused["--" + option.replace("_", "-")] = known and given
    refuse_unused(f"on {name}, which has its own rules", unused)
    if path is None and not own:
        raise UsageError(f"Where is the music of {name!r}?", f"Run: mgc data add {name} PATH")
    from mgc import datasets
    from mgc.datasets import table
    from mgc.datasets.importers import layouts

    called = table.checked_name(called or name)
    if path is not None and not known and genre_from != "tag":
        layouts.check_layout(called, path)
    from mgc.datasets.importers import importing

    if name in FMA:
        dataset = importing.add_fma(
            called, name.removeprefix("fma-"), path or _downloaded(name), metadata=metadata
        )
    elif path is None:
        dataset = importing.add_demo(called, seed=seed, progress=progress())
    elif name == GTZAN:
        dataset = importing.add_gtzan(
            called, path, filtered=filtered or (), artists=artists, group_by=group_by, seed=seed
        )
    else:
        dataset = datasets.add(
            called, path, group_by=group_by, seed=seed, drop_rare=drop_rare, **naming
        )
    added(dataset)


def _only(fits: bool, given: bool, option: str, names: str) -> None:
    if given and not fits:
        raise UsageError(f"{option} can be used with {names} only.", "Leave it out.")


def _downloaded(name: str) -> Path:
    from mgc.datasets.download.fma_download import default_folder

    folder = default_folder()
    if not folder.exists():
        raise UsageError(
            f"Where is the tree of {name}?",
            f"Run: mgc data add {name} --path TREE, or fetch it: mgc data download {name}",
        )
    return folder


def added(dataset: Dataset) -> None:
    """Say what a dataset holds, what was left out, what is odd, and what to do next."""
    from mgc.audio.audio_files import unit
    from mgc.datasets import grouping
    from mgc.datasets.quarantine import usable
    from mgc.datasets.remarks import remarks

    name, record = dataset.name, dataset.record
    output.say(
        f"Added {name}: {output.count(len(dataset.tracks), 'track')}, "
        f"{output.count(len(dataset.genres), 'genre')}, {grouping.words(record['grouping'])}."
    )
    for what, number in record.get("left_out", {}).items():
        output.say(f"Left out: {what} ({output.count(number, unit(what))}).")
    output.list_failures(record.get("unreadable", []))
    for fault, number in usable(dataset)[1].items():
        output.say(f"Quarantined: {fault} ({output.count(number, 'track')}).")
    for remark in remarks(dataset):
        output.note(f"Note: {remark}")
    for line in _folds(dataset):
        output.note(line)
    output.note(f"Next: mgc data check {name}, or: mgc fit --extractor mfcc --data {name}")


def _folds(dataset: Dataset) -> list[str]:
    """What becomes of a table's own folds."""
    folds = dataset.record.get("folds")
    if folds:
        return [
            f"Folds: the column 'fold' divides the tracks into {folds}; to use them: "
            f"mgc fit --folds {folds} --data {dataset.name}"
        ]
    if "fold" not in dataset.tracks:
        return []
    return [
        "Folds: the column 'fold' is not used, because it does not give each track one of at "
        "least two folds. Fill it for every track and add the table again."
    ]


def download(
    name: Annotated[str, typer.Argument(help="fma-small, fma-medium, fma-large or fma-full.")],
    to: Annotated[
        Path | None,
        typer.Option(help="Where to put the files (default: downloads/fma in the mgc home)."),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option(
            help="Another address: of a folder with both zips, or of one zip; repeatable."
        ),
    ] = None,
    from_: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="A zip already on disk, or a folder of them; repeatable.",
            callback=existing,
        ),
    ] = None,
    sha1: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME.zip=SHA1",
            help="For zips other than the published ones: the hash they must have; repeatable.",
        ),
    ] = None,
    keep_zips: Annotated[
        bool, typer.Option("--keep-zips", help="Keep the zips after unpacking.")
    ] = False,
    called: As = None,
) -> None:
    """Fetch FMA, verify and unpack it, and add it as a dataset; stop and continue at any time."""
    if name not in FMA:
        if name == GTZAN:
            raise UsageError(
                "GTZAN's own host is gone.", "With a copy on disk: mgc data add gtzan PATH"
            )
        raise unknown("dataset to fetch", name, FMA, "mgc data download --help")
    from mgc.datasets.download import fma_download
    from mgc.datasets.importers import importing

    subset = name.removeprefix("fma-")
    sources = fma_download.Sources(url or (), from_ or (), fma_download.read_sha1(sha1 or ()))
    tree = fma_download.download(
        subset, to, sources=sources, keep_zips=keep_zips, progress=progress()
    )
    output.say(f"All of {name} is in {tree.folder}, verified.")
    for file, reason in list(tree.faults.items())[:20]:
        output.say(f"  {file}: {reason}")
    dataset = importing.add_fma(
        called or name, subset, tree.folder, bad_clips=fma_download.bad_clips(tree)
    )
    added(dataset)
