"""What is to be written into a file, or why nothing is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgc import AudioError, Prediction
from mgc_library import tags


@dataclass(frozen=True)
class Rules:
    """When a genre is written.

    Attributes:
        at_least: the smallest probability.
        replace: over another genre, too.
        own: into mgc's own fields, which leaves the genre alone.
        coverage: all genres of the answer's set at this coverage; 0 is the most likely one alone.
    """

    at_least: float
    replace: bool = False
    own: bool = False
    coverage: float = 0.0


@dataclass(frozen=True)
class Decision:
    """For one file: the genres it has and those it gets, most likely first, with the probability of
    the first; or why it is left alone."""

    path: Path
    genres: tuple[str, ...]
    probability: float
    now: tuple[str, ...] = ()
    left: str = ""
    failed: bool = False

    @property
    def shown(self) -> str:
        """The genres in one line."""
        return "; ".join(self.genres)


def decide(answer: Prediction, rules: Rules) -> Decision:
    """What to do with a file that was predicted. Raises MgcError if the run has no sets."""
    assert answer.path is not None
    path = answer.path
    if answer.error:
        return Decision(path, (), 0.0, left=answer.error, failed=True)
    genre, probability = answer.genre, answer.probability
    genres = tuple(answer.genres_at(rules.coverage)) if rules.coverage else (genre,)
    try:
        found = tags.read(path)
    except AudioError as error:
        return Decision(path, genres, probability, left=error.message, failed=True)
    now = found.own_genres if rules.own else found.genres
    left = ""
    if answer.known is False:
        left = "unknown: unlike the music that the run learnt from"
    elif answer.remark:
        left = answer.remark
    elif probability < rules.at_least:
        left = f"{genre} {probability:.0%}, less than {rules.at_least:.0%}"
    elif now == genres:
        left = f"is {'; '.join(genres)} already"
    elif now and not rules.replace and not rules.own:
        left = f"has a genre: {', '.join(now)}"
    return Decision(path, genres, probability, now, left)


def album_votes(answers: Sequence[Prediction]) -> list[Prediction]:
    """Give the files of an album (the same folder and album tag) one answer: the mean of theirs.

    Files without an album tag, and those that could not be heard or are unknown, keep their own.
    """
    albums = defaultdict[tuple[Path, str], list[int]](list)
    for number, answer in enumerate(answers):
        if album := _album(answer):
            albums[answer.path.parent, album].append(number)  # type: ignore[union-attr]
    agreed = list(answers)
    for numbers in albums.values():
        shares = np.mean([list(answers[n].probabilities.values()) for n in numbers], axis=0)
        mean = dict(zip(answers[numbers[0]].probabilities, shares.tolist(), strict=True))
        for n in numbers:
            agreed[n] = _with(answers[n], mean)
    return agreed


def _album(answer: Prediction) -> str:
    if answer.error or answer.remark or answer.known is False or not answer.path:
        return ""
    try:
        return tags.read(answer.path).album
    except AudioError:
        return ""


def _with(answer: Prediction, probabilities: Mapping[str, float]) -> Prediction:
    from dataclasses import replace

    return replace(answer, probabilities=probabilities)
