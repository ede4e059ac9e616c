"""``mgc demo``: all the way from music to genres on a synthesised dataset."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mgc.cli.commands import compare, data_add, ensemble, fit, predict
from mgc.cli.ui import choice, output
from mgc.home import home, remove_folder

NAME = "demo"
FOLDS = 5
EXTRACTORS = ("mel", "mfcc", "chroma")
STRATEGIES = ("majority-voting", "mean-probability", "confidence")
UNSEEN_ARTIST, UNSEEN_GENRE = 1_000, "jazz"  # an artist that is in no dataset of the demo


def demo(
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what the demo made, and nothing else.")
    ] = False,
) -> None:
    """Show everything once: synthesised music, three extractors, three ensembles, a prediction."""
    if remove:
        _remove()
    else:
        _show_everything()


def _show_everything() -> None:
    begun = time.monotonic()
    output.say("mgc demo: 8 genres of synthesised music, no download, everything stored in:")
    output.say(f"  {home()}")
    _step(
        "1. A dataset. Tracks of one artist are never on both sides of a split.",
        "mgc data add demo",
        "mgc data add my-music PATH_TO_GENRE_FOLDERS",
        lambda: data_add.add(NAME),
    )
    extractors = " ".join(f"--extractor {name}" for name in EXTRACTORS)
    _step(
        "2. Three views of the sound: energy in mel bands, the shape of the spectrum, harmony. In\n"
        f"   {FOLDS} folds, each track is predicted by a model that knows none of its artist's.",
        f"mgc fit {extractors} --folds {FOLDS} --data demo",
        f"mgc fit {extractors} --folds {FOLDS} --data my-music",
        lambda: fit.fit(list(EXTRACTORS), data=NAME, folds=FOLDS),
    )
    _step(
        "3. The three views decide together, in three ways.",
        "mgc ensemble majority-voting --data demo   (and mean-probability, confidence)",
        "mgc ensemble --data my-music",
        _combine,
    )
    _step(
        "4. How good is each, and how sure are we of that? With so few artists, intervals are\n"
        "   wide: a system is better only if the comparison says so.",
        "mgc compare --data demo",
        "mgc compare --data my-music",
        lambda: compare.compare(data=NAME),
    )
    clip = home() / "datasets" / NAME / f"unseen-{UNSEEN_GENRE}.flac"
    _write_unseen(clip)
    _step(
        f"5. A song by an artist that nobody has heard, made as {UNSEEN_GENRE!r}.",
        f"mgc predict {shlex.quote(str(clip))} --data demo",
        "mgc predict FILE_OR_FOLDER --data my-music",
        lambda: predict.predict([str(clip)], data=NAME),
    )
    output.say(f"Done in {time.monotonic() - begun:.0f} s. What next: mgc --help")
    _what_next()


def _write_unseen(clip: Path) -> None:
    from mgc.datasets.importers.demo import write_song

    write_song(clip, UNSEEN_GENRE, UNSEEN_ARTIST, 0)


def _what_next() -> None:
    from mgc.plugins import registry

    if any(entry.info.name == "serve" for entry in registry.catalogue().entries("command")):
        output.say("Drop songs on its page in the browser: mgc serve")
    output.say(f"A page about all of it: mgc report --data {NAME}")
    output.say("To remove the demo again: mgc demo --remove")


def _combine() -> None:
    for name in STRATEGIES:
        ensemble.ensemble(name, data=NAME)


def _remove() -> None:
    """Remove the demo's dataset, the runs that `mgc demo` made of it, and its features."""
    from mgc import runs
    from mgc.datasets import table
    from mgc.features import file_hashes, store

    made = [run for run in choice.all_runs() if run.record.dataset.name == NAME]
    singles = {run.name for run in made if list(run.record.command) == ["mgc", "demo"]}
    ensembles = [
        run.name
        for run in made
        if run.record.strategy.name in STRATEGIES and {*run.record.members} <= singles
    ]
    for name in [*ensembles, *singles]:
        runs.remove(name)
    shards = 0
    if choice.is_demo(NAME):
        paths = [path for path in table.load(NAME).paths() if path.is_file()]
        before = {sha for path in paths for sha in file_hashes.earlier(path)}
        shards = store.forget({*file_hashes.hashes(paths), *before})
        table.remove(NAME)
    elif NAME not in table.names() and (music := table.datasets_home() / NAME).exists():
        remove_folder(music)  # the demo was stopped while it was made
    others = len(made) - len(ensembles) - len(singles)
    output.say(
        f"Removed the demo: {output.count(len(ensembles) + len(singles), 'run')}, "
        f"{output.count(shards, 'file')} of features, its dataset."
    )
    if others:
        output.note(f"Kept: {output.count(others, 'run')} on {NAME} that the demo did not make.")


def _step(what: str, command: str, yours: str, work: Callable[[], object]) -> None:
    output.say()
    output.say(what)
    output.say(f"   $ {command}")
    output.say(f"   with your own music: {yours}")
    output.say()
    work()
