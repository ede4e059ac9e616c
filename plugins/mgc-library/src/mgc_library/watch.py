"""Files that arrive in folders."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mgc.audio.audio_files import audio_files

POLL_SECONDS = 2.0


def arrivals(
    paths: Sequence[Path],
    wait: Callable[[], None] = lambda: time.sleep(POLL_SECONDS),
) -> Iterator[list[Path]]:
    """Yield files that are new or changed, once they stay the same from one look to the next.

    Files that are there at the start count as new. It ends when ``wait`` raises StopIteration, or
    anything else. Looking, unlike the notes of a file system, works on network disks too.
    """
    seen: dict[Path, tuple[int, int]] = {}
    done: dict[Path, tuple[int, int]] = {}
    while True:
        now = {path: stamp for path in _files(paths) if (stamp := _stamp(path))}
        ready = [p for p, stamp in now.items() if seen.get(p) == stamp and done.get(p) != stamp]
        if ready:
            yield ready
            done |= {path: stamp for path in ready if (stamp := _stamp(path))}
            now |= {path: done[path] for path in ready if path in done}
        seen = now
        try:
            wait()
        except StopIteration:
            return


def _files(paths: Sequence[Path]) -> list[Path]:
    return [file for path in paths for file in (audio_files(path) if path.is_dir() else [path])]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if found.st_size else None
