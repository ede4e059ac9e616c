"""What a model predicts for one piece of audio."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from mgc.errors import AudioError, MgcError

if TYPE_CHECKING:
    from mgc.prediction.unlike import HeardBefore


@dataclass(frozen=True)
class Prediction:
    """A probability for each genre, or the reason there is none.

    Attributes:
        path: the file; None for an open file or an array.
        probabilities: genre → probability, in the model's order of genres; they sum to 1.
        seconds: how much audio was heard: the total length of all clips.
        error: why the audio could not be used, or "".
        remark: what to know about the audio beside the answer (it is silent, …), or "".
        set: the genres at the coverage that was asked for on the command line, or None.
        set_at: what `genres_at` calls.
        unlike: the share of held-out music that is less unlike the training music than this; None
            if the model cannot tell.
        known: whether it is like enough for `genre` to mean something; None as ``unlike``.
        heard_before: what is known of a file that the model learnt from; None of any other.
        views: of an ensemble, each member's probabilities, by its label; of a single run, none.
    """

    path: Path | None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""
    remark: str = ""
    set: Sequence[str] | None = None
    set_at: Callable[[float], list[str]] | None = field(default=None, repr=False, compare=False)
    unlike: float | None = None
    known: bool | None = None
    heard_before: HeardBefore | None = None
    views: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def genre(self) -> str:
        """The most likely genre. Raises AudioError if there is an ``error``."""
        return self.ranked()[0][0]

    @property
    def probability(self) -> float:
        """The probability of `genre`. Raises AudioError if there is an ``error``."""
        return self.ranked()[0][1]

    def ranked(self) -> list[tuple[str, float]]:
        """(genre, probability), most likely first. Raises AudioError if there is an ``error``."""
        if self.error:
            raise AudioError(self.error, "Check .error before .genre or .probability.")
        return sorted(self.probabilities.items(), key=lambda pair: -pair[1])

    def genres_at(self, coverage: float) -> list[str]:
        """The genres, most likely first, that hold the true one in this share of tracks by new
        artists; see `mgc.prediction.conformal_sets`.

        Raises AudioError if there is an ``error``, UsageError for a coverage that is not between 0
        and 1, MgcError if the model has no held-out tracks to tell.
        """
        self.ranked()
        if self.set_at is None:
            raise MgcError("This answer came without its model.", "Predict the file again.")
        return self.set_at(coverage)

    def __repr__(self) -> str:
        name = "" if self.path is None else f"{str(self.path)!r}: "
        if self.error:
            return f"<Prediction {name}error: {self.error}>"
        return f"<Prediction {name}{self.genre} {self.probability:.1%}, {self.seconds:.1f} s heard>"

    def _repr_html_(self) -> str:
        """The ranked genres as a table, for a notebook."""
        caption = escape("audio in memory" if self.path is None else str(self.path))
        if self.error:
            return f"<p><b>{caption}</b>: {escape(self.error)}</p>"
        rows = "".join(
            f"<tr><td>{escape(genre)}</td><td>{probability:.1%}</td></tr>"
            for genre, probability in self.ranked()
            if not math.isclose(probability, 0.0, abs_tol=5e-4)
        )
        return (
            f"<table><caption>{caption}, {self.seconds:.1f} s heard</caption>"
            f"<tr><th>genre</th><th>probability</th></tr>{rows}</table>"
        )
