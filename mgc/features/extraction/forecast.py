"""How long an extraction will take and how much it will store, told from its first tracks."""

from __future__ import annotations

import time
from pathlib import Path

from mgc.errors import MgcError, counted
from mgc.features.store import features_root
from mgc.home import SPACE, free_bytes
from mgc.progress import Progress

#: Tracks after which it is told; fewer than four times as many are done before anyone has read it.
TRACKS = 16


class Forecast:
    """Counts the first tracks of ``waiting`` and says what all of them will take."""

    def __init__(self, waiting: int, progress: Progress) -> None:
        self.waiting, self.progress = waiting, progress
        self.begun, self.done, self.stored = time.monotonic(), 0, 0

    def add(self, stored: int) -> None:
        """Count a track and its bytes. Raises MgcError if the disk cannot hold them all."""
        self.done += 1
        self.stored += stored
        if self.done != TRACKS or self.waiting < 4 * TRACKS:
            return
        share = self.waiting / TRACKS
        minutes = (time.monotonic() - self.begun) * share / 60
        needed = self.stored * share
        about = f"{minutes:.0f} minutes" if minutes >= 1.5 else f"{minutes * 60:.0f} s"
        self.progress.say(
            f"{counted(self.waiting, 'track')}: about {about}, {_size(needed)} of features"
        )
        root = features_root()
        free = free_bytes(root) if isinstance(root, Path) else needed
        if needed > free:
            raise MgcError(
                f"The features of {counted(self.waiting, 'track')} need about "
                f"{_size(needed)}; {_size(free)} are free in {root}.",
                f"{SPACE} Fewer or shorter clips need less: --clips-per-track, --clip-seconds",
            )


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
