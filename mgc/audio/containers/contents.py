"""What was found in an audio file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mgc.audio.byte_ranges import Piece

#: A header may claim this much more or less than the file holds: lossy codecs pad, estimates round.
SLACK_SECONDS = 0.1
#: Without a header that states it, the length of an mp3 of constant bit rate is guessed too long by
#: this share at most; the end is then found by reading.
MAX_GUESS_ERROR = 0.01
#: Any decoder passes over fewer foreign bytes in front of the sound and behind it.
MIN_FOREIGN = 1_024


class IrregularError(Exception):
    """A file is not as its format says."""


@dataclass(frozen=True)
class SoundPart:
    """A piece of a file that is a whole audio file of its own.

    Attributes:
        pieces: its bytes.
        seconds: how long it is, if that was counted.
        run_up: how many seconds before the wanted ones have to be decoded too.
    """

    pieces: tuple[Piece, ...]
    seconds: float | None = None
    run_up: float = 0.0

    def agrees(self, seconds: float) -> bool:
        """May this be its length, as far as that is known?"""
        if self.seconds is None:
            return True
        more = seconds - self.seconds
        return -SLACK_SECONDS <= more <= max(SLACK_SECONDS, MAX_GUESS_ERROR * self.seconds)


@dataclass(frozen=True)
class Contents:
    """What is in a file.

    Attributes:
        parts: to be heard one after the other; none if the file is not known better than a decoder
            knows it.
        intact: a decoder may read the file as it is, if it finds the length of its one part.
        remark: what the file's header says wrongly, and what in it is no sound; or "".
    """

    parts: tuple[SoundPart, ...] = ()
    intact: bool = True
    remark: str = ""


def joined(parts: Sequence[SoundPart], intact: bool, remarks: Sequence[str]) -> Contents:
    """Contents of some parts: more than one are remarked on, and never read as they are."""
    if len(parts) > 1:
        remarks = [f"{len(parts)} recordings follow each other", *remarks]
    return Contents(
        tuple(parts), (intact and len(parts) == 1) or not parts, "; ".join(filter(None, remarks))
    )


def size_text(size: int) -> str:
    """A number of bytes in words: ``96 kB``."""
    return f"{size / 1_000:,.0f} kB" if size >= 1_000 else f"{size} bytes"


def claim_remark(claimed: float, there: float, *, guessed: bool = False) -> str:
    """The remark on a length that a header states wrongly, or a decoder guesses; "" if it is
    right."""
    if abs(claimed - there) <= max(SLACK_SECONDS, MAX_GUESS_ERROR * there * guessed):
        return ""
    return f"the header claims {claimed:,.1f} s, {there:,.1f} s are there"


def ends_remark(front: int, behind: int) -> str:
    """The remark on bytes in front of the sound and behind it; "" if they are few."""
    places = {"in front of the sound": front, "behind the sound": behind}
    return "; ".join(
        f"{size_text(size)} of something else {place}"
        for place, size in places.items()
        if size >= MIN_FOREIGN
    )


def gaps_remark(ranges: Sequence[tuple[int, int]], seconds: float) -> str:
    """The remark on what is between the ranges of one recording; "" if there is nothing."""
    gaps = [after[0] - before[1] for before, after in pairwise(ranges)]
    if not sum(gaps):
        return ""
    first = next(number for number, gap in enumerate(gaps) if gap)
    sizes = [end - start for start, end in ranges]
    at = seconds * sum(sizes[: first + 1]) / sum(sizes)
    more = " and later" if sum(map(bool, gaps)) > 1 else ""
    return f"damaged {at:,.1f} s in{more}: {size_text(sum(gaps))} are no sound"
