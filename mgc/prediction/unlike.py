"""Whether audio is like the music that a run learnt from, and whether it was part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mgc.audio.sound_hash import FORMER_SCHEME, SCHEME, sound_hash
from mgc.errors import UsageError
from mgc.features.extraction import Rows
from mgc.runs import Run
from mgc.runs.reference import UNKNOWN, Reference, audio_key, load_reference

MAX_UNKNOWN = 0.5


@dataclass(frozen=True)
class HeardBefore:
    """A file that the run learnt from: its answer says nothing about music that is new.

    Attributes:
        track_id: its id in the dataset.
        genre: the genre that it was given there.
        out_of_fold: genre → probability, as predicted when the track was held out; empty if it
            never was (a run of a single split).
    """

    track_id: str
    genre: str
    out_of_fold: Mapping[str, float] = field(default_factory=dict)

    @property
    def answer(self) -> str:
        """The genre that was predicted when the track was held out; "" if it never was."""
        return max(self.out_of_fold, key=self.out_of_fold.__getitem__, default="")


class TrainingMusic:
    """What a run and its members (itself, of a single run) keep of their training music."""

    def __init__(self, run: Run, members: Sequence[Run]) -> None:
        self.run = run
        self.references = [found for member in members if (found := load_reference(member))]

    def reference(self, revision: int) -> Reference | None:
        """The first one that was made from this revision of the textures."""
        return next((each for each in self.references if each.revision == revision), None)

    def heard_before(self, path: Path) -> HeardBefore | None:
        """What is known of a file that a member learnt from; None of any other."""
        if not self.references:
            return None
        scheme = str(self.run.record.identity.get("audio", "")).partition(":")[0]
        key = audio_key(sound_hash(path, scheme if scheme == FORMER_SCHEME else SCHEME))
        if not any(reference.has_learnt_from(key) for reference in self.references):
            return None
        rows = self.run.predictions
        rows = rows[rows["audio"] == key] if "audio" in rows else rows[:0]
        if rows.empty:  # an ensemble that has left the track out
            return HeardBefore("", "")
        held_out = self.run.probabilities(rows[rows["part"] == "test"])[:1]
        shares = [dict(zip(self.run.genres, row, strict=True)) for row in held_out.tolist()]
        return HeardBefore(*rows.iloc[0][["track_id", "genre"]], *shares)


def unknown_by_genre(run: Run, reference: Reference | None) -> dict[str, float] | None:
    """For each genre the share of the run's test tracks that are unknown at `UNKNOWN`; None if
    the reference does not say which tracks it held out."""
    tests = run.predictions
    tests = tests[tests["part"] == "test"]
    if reference is None or not len(reference.held_out_keys) or "audio" not in tests:
        return None
    keys = tests["audio"].map(lambda key: int(key, 16)).to_numpy(np.uint64)
    unknown = np.isin(keys, reference.unknown_keys(UNKNOWN))
    return {str(genre): float(unknown[tests["genre"] == genre].mean()) for genre in run.genres}


def mean_texture(clips: Rows) -> np.ndarray:
    """The mean of the clips' textures (statistic,)."""
    return np.asarray(np.mean(clips, axis=0, dtype=np.float64))


def checked_rate(rate: float) -> float:
    """The rate. Raises UsageError unless it is from 0 (nothing is unknown) to `MAX_UNKNOWN`."""
    if not 0 <= rate <= MAX_UNKNOWN:
        raise UsageError(
            f"The share of music that may be unknown is from 0 to {MAX_UNKNOWN}, not {rate}.",
            f"The default is {UNKNOWN}; 0 answers every file with a genre.",
        )
    return rate
