"""``mgc playlist``."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

from mgc import MgcError, Model, UsageError
from mgc.cli.ui import output
from mgc.cli.ui.live import progress
from mgc_library.options import UNKNOWN, Unknown, check_folder


def playlist(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="The library.")],
    run: Annotated[str, typer.Option(help="The run, or ready-made model, that answers.")],
    by: Annotated[
        str, typer.Option(metavar="genre|similar", help="What is put together.")
    ] = "genre",
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="The song they are similar to."),
    ] = None,
    into: Annotated[
        Path, typer.Option("--into", metavar="FOLDER", help="Where the playlists are written.")
    ] = Path("."),
    count: Annotated[int, typer.Option(help="With --by similar: how many songs.", min=1)] = 25,
    at_least: Annotated[
        float, typer.Option(help="With --by genre: the smallest probability.", min=0.0, max=1.0)
    ] = 0.5,
    unknown: Unknown = UNKNOWN,
    replace: Annotated[
        bool, typer.Option("--replace", help="Over playlists of the same names, too.")
    ] = False,
) -> None:
    """Make playlists (UTF-8 .m3u8, relative paths): one per genre, or of what is like a song."""
    if by not in ("genre", "similar"):
        raise UsageError(f"Nothing is known about --by {by}.", "Use: --by genre, or --by similar")
    if (by == "similar") != (to is not None):
        raise UsageError("--by similar and --to FILE belong together.", "Give both, or neither.")
    if to is not None and not to.is_file():
        raise UsageError(f"{to} is not a file.", "Check --to.")
    check_folder(into)
    import mgc
    from mgc.audio.audio_files import collect

    files, model = collect(list(paths)), mgc.load(run)
    names = model.genres if to is None else [f"like {to.stem}"]
    places = {name: into / f"{safe(name)}.m3u8" for name in names}
    there = [str(path) for path in places.values() if path.exists() and not replace]
    if there:
        raise UsageError(f"{there[0]} is there already.", "Use another --into, or --replace.")
    failures: list[str] = []
    if to is None:
        lists = _by_genre(model, files, at_least, unknown, failures)
    else:
        lists = {names[0]: _similar(model, files, to, count, failures)}
    into.mkdir(parents=True, exist_ok=True)
    for name, songs in sorted(lists.items()):
        path = places[name]
        write(path, songs)
        output.say(f"{path}: {output.count(len(songs), 'song')}")
    if failures:
        output.note(f"{output.count(len(failures), 'file')} could not be used:")
        output.list_failures(failures)
    if not any(lists.values()):
        raise MgcError("There is no song for a playlist.", "Lower --at-least, or see above.")


def write(path: Path, songs: list[Path]) -> None:
    """Write a playlist, completely or not at all; its paths are relative to its folder."""
    from mgc.home import replace_file

    base = path.absolute().parent
    places = (os.path.relpath(song.absolute(), base) for song in songs)
    lines = ["#EXTM3U", *(f"./{place}" if place[0] == "#" else place for place in places)]
    replace_file(path, ("\n".join(lines) + "\n").encode("utf-8", errors="surrogateescape"))


def safe(name: str) -> str:
    """A file name for any file system."""
    from pathvalidate import sanitize_filename

    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\ufffd", "_")
    return sanitize_filename(text, replacement_text="_", platform="universal") or "_"


def _by_genre(
    model: Model, files: list[Path], at_least: float, unknown: float, failures: list[str]
) -> dict[str, list[Path]]:
    lists = defaultdict[str, list[Path]](list)
    for answer in model.predict_many(files, progress=progress(), unknown=unknown):
        if answer.error:
            failures.append(answer.error)
        elif answer.path and answer.probability >= at_least and answer.known is not False:
            lists[answer.genre].append(answer.path)
    return lists


def _similar(
    model: Model, files: list[Path], to: Path, count: int, failures: list[str]
) -> list[Path]:
    """The song itself, then the nearest."""
    found = model.similar(to, files, count, same_artist=True, progress=progress())
    failures += found.failures
    return [to, *(Path(one.track_id) for one in found)][:count]
