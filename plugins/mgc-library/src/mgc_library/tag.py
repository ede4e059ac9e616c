"""``mgc tag``."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from mgc import AudioError, MgcError, Prediction, UsageError
from mgc.cli.ui import output
from mgc.cli.ui.live import progress
from mgc_library.decision import Decision, Rules
from mgc_library.options import UNKNOWN, Unknown, Write


def tag(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE|FOLDER...", help="The library.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="The run, or ready-made model, that answers.")
    ] = None,
    write: Write = False,
    at_least: Annotated[
        float, typer.Option(help="The smallest probability that is written.", min=0.0, max=1.0)
    ] = 0.5,
    unknown: Unknown = UNKNOWN,
    coverage: Annotated[
        float,
        typer.Option(
            metavar="RATE",
            help="Write all genres of the answer's set, which holds the true one in this share of "
            "tracks; 0: the most likely one.",
            min=0.0,
            max=1.0,
        ),
    ] = 0.0,
    replace: Annotated[bool, typer.Option("--replace", help="Over another genre, too.")] = False,
    own_field: Annotated[
        bool,
        typer.Option("--own-field", help="Write MGC_GENRE and MGC_PROBABILITY; leave the genre."),
    ] = False,
    agree: Annotated[
        str | None, typer.Option(metavar="album", help="One answer for all tracks of an album.")
    ] = None,
    keep_times: Annotated[
        bool, typer.Option("--keep-times", help="Leave the files' times of change.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and tag what arrives, until Ctrl-C.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Give back every byte that the last --write changed.")
    ] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Write genres into the tags of a music library; shows what it would do unless --write."""
    if undo:
        if paths or run:
            raise UsageError("--undo takes back all that the last --write did.", "Give it alone.")
        _undo(as_json)
        return
    if not paths or run is None:
        raise UsageError("Which files, by which run?", "For example: mgc tag MUSIC --run RUN")
    if math.isnan(at_least):
        raise UsageError("--at-least is not a number.", "For example: --at-least 0.7")
    if agree not in (None, "album"):
        raise UsageError(f"Files cannot agree by {agree!r}.", "Use: --agree album")
    if watch and (agree or not write):
        raise UsageError("--watch needs --write, and no --agree.", "Leave one out.")
    if agree and coverage:
        raise UsageError("The mean of an album has no --coverage.", "Leave out it or --agree.")
    rules = Rules(at_least, replace, own_field, coverage)
    work = _Work(run, rules, write, keep_times, agree == "album", unknown)
    with work:
        if watch:
            _watch(paths, work)
        else:
            from mgc.audio.audio_files import collect

            work.do(collect(list(paths)))
    work.report(as_json)
    _say_passed_over(paths)


class _Work:
    """Predicts files, decides and writes."""

    def __init__(
        self, run: str, rules: Rules, write: bool, keep_times: bool, agree: bool, unknown: float
    ) -> None:
        import mgc
        from mgc_library.journal import Journal

        self.model, self.rules = mgc.load(run), rules
        self.write, self.keep_times, self.agree = write, keep_times, agree
        self.unknown = unknown
        self.journal = Journal("tag")
        self.decisions: list[Decision] = []
        self.written = 0

    def __enter__(self) -> _Work:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    def do(self, files: list[Path]) -> None:
        """Predict, decide and, if wanted, write; each file as soon as its answer is there."""
        from mgc_library.decision import album_votes, decide

        answers: Iterable[Prediction] = self.model.predict_many(
            files, progress=progress(), unknown=self.unknown
        )
        for answer in album_votes(list(answers)) if self.agree else answers:
            decision = decide(answer, self.rules)
            if self.write and not decision.left:
                decision = self._written(decision)
            self.decisions.append(decision)

    def _written(self, decision: Decision) -> Decision:
        from dataclasses import replace

        try:
            self._write(decision)
        except AudioError as error:
            return replace(decision, left=error.message, failed=True)
        except OSError as error:
            reason = f"{decision.path}: not tagged ({error.strerror or error})."
            return replace(decision, left=reason, failed=True)
        self.written += 1
        return decision

    def _write(self, decision: Decision) -> None:
        from mgc.audio.sound_hash import sound_hash
        from mgc_library import tags

        path = decision.path.resolve()
        _check_writable(path)
        with self.journal.replacing(path, keep_times=self.keep_times) as copy:
            if self.rules.own:
                tags.write_own(copy, decision.genres, decision.probability)
            else:
                tags.write(copy, decision.genres)
            if sound_hash(copy) != sound_hash(path):
                raise AudioError(f"{path}: not tagged, because its sound would have changed.")

    def report(self, as_json: bool) -> None:
        """Show what was done, or would be."""
        rows = list(_rows(self.decisions))
        if as_json:
            output.emit_json(rows)
        elif rows:
            shown = [
                (d.path, "; ".join(d.now), d.shown, output.percent(d.probability))
                for d in self.decisions
                if not d.left
            ]
            output.show_table(["file", "now", "genre", "%"], shown, right=["%"])
        failed = [d for d in self.decisions if d.failed]
        left = [d for d in self.decisions if d.left and not d.failed]
        changes = len(self.decisions) - len(left) - len(failed)
        others = [d for d in left if d.now != d.genres]
        done = "Tagged" if self.write else "Would tag"
        output.note(f"{done} {output.count(changes, 'file')} of {len(self.decisions):,}.")
        if len(others) < len(left):
            output.note(f"As it would be already: {output.count(len(left) - len(others), 'file')}.")
        if others:
            output.note(f"{output.count(len(others), 'file')} left alone:")
            output.list_failures([f"{d.path}: {d.left}" for d in others])
        if failed:
            output.note(f"{output.count(len(failed), 'file')} could not be used:")
            output.list_failures([d.left for d in failed])
        if changes:
            output.note("To undo it: mgc tag --undo" if self.write else "To do it: add --write")
        if failed and not changes and not left:
            raise MgcError("No file could be used.", "The reasons are listed above.")


def _rows(decisions: Iterable[Decision]) -> Iterator[dict[str, object]]:
    for d in decisions:
        yield {
            "path": str(d.path),
            "now": "; ".join(d.now),
            "genre": "".join(d.genres[:1]),
            "genres": list(d.genres),
            "probability": d.probability,
            "left": d.left,
            "failed": d.failed,
        }


def _say_passed_over(paths: Iterable[Path]) -> None:
    """Count what looks like music in folders but has no sound of its own, such as cue sheets."""
    from mgc.audio.audio_files import search

    kinds = sum((search(path).not_taken for path in paths if path.is_dir()), Counter[str]())
    if kinds:
        names = ", ".join(f"{kind} ({number:,})" for kind, number in sorted(kinds.items()))
        output.note(f"Not taken for audio: {names}.")


def _check_writable(path: Path) -> None:
    """Raises AudioError, in words, if a file should not be replaced."""
    from mgc_library.journal import MAX_BYTES

    found = path.stat()
    if not found.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise AudioError(f"{path}: is read-only.")
    if found.st_nlink > 1:
        raise AudioError(
            f"{path}: has {found.st_nlink} names (hard links), which tagging would separate."
        )
    if found.st_size > MAX_BYTES:
        raise AudioError(f"{path}: is larger than {MAX_BYTES >> 30} GiB.")


def _watch(paths: list[Path], work: _Work) -> None:
    from mgc_library.watch import arrivals

    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist.", "Check the path.")
    output.note("Waiting for files; Ctrl-C ends it.")
    try:
        for files in arrivals(paths):
            before = len(work.decisions)
            work.do(files)
            for d in work.decisions[before:]:
                said = d.left or f"{d.shown} {d.probability:.0%}"
                output.say(d.left if d.failed else f"{d.path}: {said}")
    except KeyboardInterrupt:
        output.note("Stopped.")


def _undo(as_json: bool) -> None:
    from mgc_library import journal

    folder = journal.last()
    done = journal.undo(folder)
    if as_json:
        output.emit_json({"restored": list(map(str, done.restored)), "failures": done.failures})
    output.note(f"Given back: {output.count(len(done.restored), 'file')}.")
    if done.unchanged:
        output.note(f"As before: {output.count(done.unchanged, 'file')}.")
    if done.failures:
        output.list_failures(done.failures)
        raise MgcError(
            "Not everything could be undone.",
            f"Try again, or remove {folder} to undo what was done before.",
        )
