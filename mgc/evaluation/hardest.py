"""The tracks that systems get most wrong: mistakes to listen to, or wrong labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from mgc.runs import Run


@dataclass(frozen=True)
class MemberAnswer:
    """One run's answer for a track: the genre, and its confidence in it, in [0, 1]."""

    run: str
    genre: str
    confidence: float


@dataclass(frozen=True)
class HardTrack:
    """A hard track; ``trust`` is the mean probability of its true genre, in [0, 1]."""

    track_id: str
    title: str
    artist: str
    path: str
    genre: str
    trust: float
    answers: Sequence[MemberAnswer]

    @property
    def wrong(self) -> int:
        """How many answers were wrong."""
        return sum(answer.genre != self.genre for answer in self.answers)


def hardest(named: Sequence[tuple[str, Run]], count: int) -> list[HardTrack]:
    """The tracks whose true genre is least probable, averaged over runs; hardest first.

    Args:
        named: each run with its name; all on one dataset.
        count: how many tracks.

    Only tracks that every run has scored and at least one got wrong are included.
    """
    tables = [_scored(run) for _, run in named]
    common = reduce(pd.Index.intersection, [table.index for table in tables])
    tables = [table.loc[common] for table in tables]
    trust = np.mean([table["own"] for table in tables], axis=0)
    wrong = np.any([table["said"] != table["genre"] for table in tables], axis=0)
    order = [i for i in np.argsort(trust, kind="stable") if wrong[i]][:count]
    names = [name for name, _ in named]
    return [_track(float(trust[i]), names, [table.iloc[i] for table in tables]) for i in order]


def _scored(run: Run) -> pd.DataFrame:
    rows = run.rows("test").drop_duplicates("track_id")
    probabilities = run.probabilities(rows)
    table = rows[["track_id", "title", "artist", "path", "genre"]].set_index("track_id")
    table["own"] = probabilities[np.arange(len(rows)), run.truth(rows)]
    table["said"] = np.array(run.genres, dtype=object)[probabilities.argmax(1)]
    table["confidence"] = probabilities.max(1)
    return table


def _track(trust: float, names: Sequence[str], rows: Sequence[pd.Series]) -> HardTrack:
    """A track from its row in each run's table."""
    answers = [
        MemberAnswer(name, str(row["said"]), float(row["confidence"]))
        for name, row in zip(names, rows, strict=True)
    ]
    first = rows[0]
    title, artist, path, genre = (str(first[c]) for c in ("title", "artist", "path", "genre"))
    return HardTrack(str(first.name), title, artist, path, genre, trust, answers)
