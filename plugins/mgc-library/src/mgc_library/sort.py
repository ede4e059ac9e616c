"""``mgc sort``."""

from __future__ import annotations

import hashlib
import os
import shutil
import string
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgc import AudioError, MgcError, Prediction, UsageError
from mgc.cli.ui import output
from mgc.cli.ui.live import progress
from mgc_library.options import UNKNOWN, Unknown, Write, check_folder

if TYPE_CHECKING:
    from mgc_library.journal import Journal

FIELDS = ("genre", "artist", "album", "title", "name")
HOW = ("copy", "link", "move")


@dataclass(frozen=True)
class Move:
    """A file and its new place, or why it has none."""

    source: Path
    target: Path | None
    problem: str = ""


def sort(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The library.")],
    run: Annotated[str, typer.Option(help="The run, or ready-made model, that answers.")],
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="Where the folders are made.")
    ],
    pattern: Annotated[
        str, typer.Option(help=f"Folders and name, of {', '.join(f'{{{f}}}' for f in FIELDS)}.")
    ] = "{genre}/{artist}/{title}",
    how: Annotated[str, typer.Option(metavar="copy|link|move", help="link: hard links.")] = "copy",
    write: Write = False,
    unknown: Unknown = UNKNOWN,
    undo: Annotated[bool, typer.Option("--undo", help="Undo the last tag or sort.")] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Put a music library into folders by genre, artist and title; nothing is overwritten."""
    from mgc_library.tag import _undo

    if undo:
        _undo(as_json)
        return
    _check(pattern, how)
    check_folder(into)
    import mgc
    from mgc.audio.audio_files import collect

    answers = mgc.load(run).predict_many(collect([folder]), progress=progress(), unknown=unknown)
    moves = list(planned(answers, into, pattern))
    done = _carry_out(moves, how, into) if write else moves
    rows = [
        {"source": str(m.source), "target": str(m.target or ""), "problem": m.problem} for m in done
    ]
    if as_json:
        output.emit_json(rows)
    else:
        output.show_table(["file", "to"], [(r["source"], r["target"]) for r in rows if r["target"]])
    problems = [m.problem for m in done if m.problem]
    count = len(done) - len(problems)
    word = {"copy": "copied", "link": "linked", "move": "moved"}[how]
    output.note(f"{output.count(count, 'file')} {'' if write else 'would be '}{word}.")
    if problems:
        output.note(f"{output.count(len(problems), 'file')} left alone:")
        output.list_failures(problems)
    if count:
        output.note("To undo it: mgc tag --undo" if write else "To do it: add --write")


def planned(answers: Iterable[Prediction], into: Path, pattern: str) -> Iterable[Move]:
    """Where each file goes; two that would get the same place are numbered."""
    taken: set[str] = set()
    for answer in answers:
        assert answer.path is not None
        if answer.error:
            yield Move(answer.path, None, answer.error)
            continue
        base = into.joinpath(*_parts(answer, pattern))
        suffix, number, target = answer.path.suffix, 1, None
        while target is None or str(target).casefold() in taken:
            ending = suffix if number == 1 else f" ({number}){suffix}"
            target, number = base.with_name(base.name + ending), number + 1
        taken.add(str(target).casefold())
        yield Move(answer.path, target)


def _parts(answer: Prediction, pattern: str) -> list[str]:
    from mgc_library import tags
    from mgc_library.playlist import safe

    assert answer.path is not None
    try:
        found = tags.read(answer.path)
    except AudioError:
        found = tags.Tags()
    known = answer.known is not False
    values = {
        "genre": answer.genre if known else "unknown",
        "artist": found.artist or "unknown artist",
        "album": found.album or "unknown album",
        "title": found.title or answer.path.stem,
        "name": answer.path.stem,
    }
    parts = [safe(part.format(**values).replace("/", "_")) for part in pattern.split("/")]
    return [_short(part) for part in parts]


def _short(part: str, most: int = 200) -> str:
    """A name of at most so many bytes."""
    return (
        part.encode("utf-8", "surrogateescape")[:most].decode("utf-8", "ignore").rstrip(" .") or "_"
    )


def _check(pattern: str, how: str) -> None:
    if how not in HOW:
        raise UsageError(f"Files cannot be sorted by --how {how}.", f"Use one of: {', '.join(HOW)}")
    try:
        used = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
    except ValueError as error:
        raise UsageError(
            f"--pattern {pattern!r} cannot be read: {error}.", "See --help."
        ) from error
    if used - {*FIELDS} or not used or {"", "..", "."} & {*pattern.split("/")}:
        raise UsageError(
            f"--pattern {pattern!r} is not a place below --into.",
            f"Use {', '.join(f'{{{f}}}' for f in FIELDS)}, such as {{genre}}/{{artist}}/{{title}}",
        )


def _carry_out(moves: list[Move], how: str, into: Path) -> list[Move]:
    from mgc_library.journal import Journal

    journal = Journal("sort")
    with closing(journal):
        return [_place(move, how, into, journal) if move.target else move for move in moves]


def _place(move: Move, how: str, into: Path, journal: Journal) -> Move:
    """Put one file into its place. Nothing that is there is overwritten."""
    source, target = move.source.absolute(), Path(os.path.abspath(move.target or into))
    try:
        with open(source, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        depth = len(target.relative_to(Path(os.path.abspath(into))).parts) - 1
        if os.path.lexists(target):
            raise FileExistsError(17, "another file is there")
        journal.record(made=str(target), source=str(source), how=how, digest=digest, depth=depth)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _make(source, target, how, journal)
        except OSError:
            journal.record(cancelled=str(target))
            raise
    except OSError as error:
        return Move(move.source, None, f"{move.source}: left where it is ({error.strerror}).")
    except MgcError as error:
        return Move(move.source, None, error.message)
    return move


def _make(source: Path, target: Path, how: str, journal: Journal) -> None:
    """Link, copy or move a file. Raises FileExistsError if another process was faster."""
    if how == "link":
        os.link(source, target)
        return
    if how == "copy" or not _linked(source, target):
        from mgc_library.journal import sync

        half = target.with_name(f".{target.name[:40]}.mgc-{os.getpid()}")
        journal.record(copy=str(half), wait=False)
        try:
            shutil.copy2(source, half)
            sync(half)
            target.touch(exist_ok=False)
            half.replace(target)
        finally:
            half.unlink(missing_ok=True)
    if how == "move":
        source.unlink()


def _linked(source: Path, target: Path) -> bool:
    """Whether a file got a second name, which no copying needs: on the same disk, if it can."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True
