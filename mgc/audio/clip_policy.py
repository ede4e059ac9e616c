"""Which parts of a track are heard: the clip policy, one for training and scoring alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mgc.errors import AudioError, UsageError

DEFAULT_SECONDS = 30.0  # FMA's and GTZAN's own clip length
DEFAULT_CLIPS_PER_TRACK = 4  # two minutes of a song; more costs time for hardly any accuracy
#: Shorter audio has fewer frames than a head's first convolutions span.
MIN_SECONDS = 0.25
#: If a file is longer than a clip by less than this, the clip begins at 0: to begin a little later
#: costs a seek, which in an mp3 takes as long as decoding three seconds.
MIN_REMAINDER_SECONDS = 0.1
MAX_SECONDS = 3_600.0  # an hour's features are held in memory at once


def too_short(samples: int, rate: int) -> bool:
    """Whether so many samples are less than `MIN_SECONDS`, which need not be a whole number."""
    return samples < int(MIN_SECONDS * rate)


def checked_length(audio: object, samples: int, rate: int) -> None:
    """Raises AudioError if a sound is shorter than `MIN_SECONDS`."""
    if too_short(samples, rate):
        seconds = 100 * samples // rate / 100  # rounded down: 0.249 s is not 0.25 s
        raise AudioError(f"{audio}: is too short ({seconds:.2f} s of at least {MIN_SECONDS} s).")


@dataclass(frozen=True)
class ClipPolicy:
    """A track is heard as up to ``per_track`` clips of ``seconds``, spread evenly over it.

    A track shorter than one clip is one shorter clip, and in one that is hardly longer the clip
    begins at 0; otherwise every clip has full length, and there are as many as fit side by side,
    at most ``per_track``. A single clip is taken from the middle.
    Training draws from a track's clips; scoring averages over all of them.

    Raises UsageError for a length or a number that leaves nothing to hear.
    """

    seconds: float = DEFAULT_SECONDS
    per_track: int = DEFAULT_CLIPS_PER_TRACK

    def __post_init__(self) -> None:
        if not MIN_SECONDS <= self.seconds <= MAX_SECONDS:
            raise UsageError(
                f"Clips of {self.seconds} s are not possible.",
                f"--clip-seconds accepts {MIN_SECONDS} to {MAX_SECONDS:.0f}.",
            )
        if self.per_track < 1:
            raise UsageError(
                f"{self.per_track} clips per track are not possible.",
                "--clips-per-track accepts 1 or more.",
            )

    def starts(self, duration: float) -> list[float]:
        """The start times, in seconds, of the clips of a track of ``duration`` seconds."""
        spare = duration - self.seconds
        if spare < MIN_REMAINDER_SECONDS:
            return [0.0]
        count = min(self.per_track, int(duration // self.seconds))
        if count == 1:
            return [spare / 2]
        return [float(start) for start in np.linspace(0.0, spare, count)]
