"""A library tagged, read back, undone, and killed: ``python -m tests.show [FILES [KILLS]]``.

Run it in the folder of the package. It makes FILES files (300) in every kind of `library.KINDS`,
tags them by a run that is fitted first, has the genres read by other programs, undoes it and
compares SHA-256s. Then it kills ``mgc tag --write`` KILLS times (20) at random events (a file
opened, renamed, removed, …) and as often from outside, each time followed by ``mgc tag --undo``.
The answers are then those of a model that only looks at names, so that the journal is what is
killed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from . import library, read_back

#: Audit events, besides ``os.fsync``, at which the process may be killed if they are about files of
#: the library or of mgc's home.
EVENTS = {"open", "os.rename", "os.remove", "os.utime", "os.chmod", "os.mkdir", "os.scandir"}


def tag_and_die(place: int, folder: str, *, undo: bool) -> None:
    """``mgc tag --write`` with answers from names, or ``--undo``, killed at the event of this
    number (from 1); it says how many there were if it lives."""
    import mgc
    from mgc import Prediction
    from mgc.cli import app

    seen, places = 0, (folder, os.environ["MGC_HOME"])

    def event(name: str, about: tuple[object, ...]) -> None:
        nonlocal seen
        if name in EVENTS and str(about[0]).startswith(places):
            seen += 1
            if seen == place:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch() -> None:
        sync, os.fsync = os.fsync, lambda file: (event("open", places), sync(file))
        sys.addaudithook(event)

    class Named:
        def predict_many(self, files: list[Path], **_: object) -> object:
            watch()
            for path in files:
                print(path, flush=True)
                yield Prediction(path, {path.parent.name: 0.9, "other": 0.1}, known=True)

    mgc.load = lambda _: Named()
    if undo:
        watch()
    sys.argv = ["mgc", "tag", *(["--undo"] if undo else [folder, "--run", "named", "--write"])]
    with suppress(SystemExit):
        app.main()
    print(seen, flush=True)


def killed(folder: Path, place: int, *, lines: int | None = None, undo: bool = False) -> list[str]:
    """What a process said that is killed at an event, or from outside after so many lines."""
    words = [sys.executable, "-m", "tests.show", "--die", str(place), str(folder)]
    words += ["--undo"] if undo else []
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        cwd=Path(__file__).parents[1],
    ) as process:  # fmt: skip
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line.strip())
            if len(said) == lines:
                process.kill()
    assert lines or process.returncode in (-signal.SIGKILL if place else 0, 0)
    return said


def undone(folder: Path, before: dict[Path, str]) -> int:
    """Undo the last journal, if it is of a process that did something; how many files changed.

    Every file must have its first content again, and nothing else may be there.
    """
    from mgc_library import journal

    from mgc import MgcError

    changed = sum(library.digests([path])[path] != digest for path, digest in before.items())
    try:
        assert not journal.undo(journal.last()).failures
    except MgcError:  # killed before the first entry
        assert not changed
    assert library.digests(sorted(before)) == dict(sorted(before.items()))
    assert {path for path in folder.rglob("*") if path.is_file()} == set(before)
    return changed


def kill_often(
    folder: Path, before: dict[Path, str], inside: int, outside: int = 0, seed: int = 0
) -> list[int]:
    """Kill at random events, and from outside; how many files had changed each time."""
    rng = random.Random(seed)
    events = int(killed(folder, 0)[-1])
    assert undone(folder, before) == len(before)
    changed = []
    for _ in range(inside):
        killed(folder, rng.randint(1, events))
        changed.append(undone(folder, before))
    for _ in range(outside):
        killed(folder, 0, lines=rng.randint(1, len(before)))
        changed.append(undone(folder, before))
    return changed


def main(files: int = 300, kills: int = 20) -> None:
    """Show all of it."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["MGC_HOME"] = f"{name}/home"
        import mgc

        copies = -(-files // len(library.KINDS) // 2)
        made = library.make(Path(name, "lib"), copies)
        before = library.digests(made)
        mgc.datasets.add("two", Path(name, "lib"))
        run = mgc.fit("two", "mfcc", "logistic").name
        print(f"{len(made)} files: {', '.join(library.KINDS)}")
        words = [sys.executable, "-m", "mgc", "tag"]
        options = ["--run", run, "--write", "--unknown", "0", "--at-least", "0"]
        start = time.monotonic()
        subprocess.run([*words, f"{name}/lib", *options], check=True, stdout=subprocess.DEVNULL)
        print(f"tagged in {time.monotonic() - start:.1f} s")
        from mgc_library import tags

        for reader, read in read_back.readers().items():
            same = sum(read(path) == tags.read(path).genres[0] for path in made)
            print(f"{reader} reads the genre of {same} files")
        changed = undone(Path(name, "lib"), before)
        print(f"undone: {changed} files had changed, all have their first SHA-256 again")
        found = kill_often(Path(name, "lib"), before, kills, kills)
        print(f"killed {2 * kills} times, after {found} files: all have their first SHA-256 again")


if __name__ == "__main__":
    if "--die" in sys.argv:
        tag_and_die(int(sys.argv[2]), sys.argv[3], undo="--undo" in sys.argv)
    else:
        main(*map(int, sys.argv[1:]))
