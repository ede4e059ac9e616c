"""A dataset's features from one extractor, ready for any head and any folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from mgc.datasets import grouping, remarks, splits
from mgc.datasets.quality.checking import judge_again
from mgc.datasets.quarantine import usable
from mgc.datasets.table import Dataset
from mgc.errors import MgcError, counted
from mgc.features.extraction import Failure, extract
from mgc.features.extractor_spec import ExtractorSpec
from mgc.features.store import DamagedShardError
from mgc.progress import Progress, Silent
from mgc.runs import PARTS
from mgc.runs.reference import audio_key
from mgc.training.track_data import TrackData


class StoredFeatures(Sequence[list[np.ndarray]]):
    """The clips of each track, read from the store when asked for (mapped, not copied).

    Those that have changed since they were written, or were removed meanwhile, are extracted again
    from their files.
    """

    def __init__(
        self,
        source: ExtractorSpec,
        hashes: Sequence[str],
        paths: Sequence[Path],
        progress: Progress,
    ) -> None:
        self.source = source
        self.hashes = hashes
        self.paths = paths
        self.progress = progress
        self._mending = Lock()

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, track: Any) -> Any:
        try:
            return self.source.store.read(self.hashes[track])
        except (DamagedShardError, KeyError) as error:
            with self._mending:
                self._extract_again(error)
            return self.source.store.read(self.hashes[track])

    def _extract_again(self, error: DamagedShardError | KeyError) -> None:
        """Make all damaged tracks of a shard, and those that are gone, again. Raises MgcError if
        that is not possible."""
        what = f"Another process removed {self.source.name} features that are needed here."
        if isinstance(error, DamagedShardError):
            what = error.message
            self.source.store.take_out(error.name)
        pairs = zip(self.paths, self.hashes, strict=True)
        gone = {path: sha for path, sha in pairs if sha not in self.source.store}
        if not gone:  # the copy of an object store was damaged, or another has mended it
            if isinstance(error, DamagedShardError):
                self.progress.say(f"{what} It is read again.")
            return
        self.progress.say(f"{what} Extracting {counted(len(gone), 'track')} again.")
        made = extract([*gone], [self.source], self.progress)
        for failure in made.failures:
            raise MgcError(failure.reason)
        if changed := [path for path, sha in gone.items() if made.hashes[path] != sha]:
            raise MgcError(f"{changed[0]} has changed since the fit began.", "Fit again.")


class PooledFeatures(StoredFeatures):
    """The clips of each track (clip, dimension), pooled by one of the poolings of the source."""

    def __init__(self, whole: StoredFeatures, number: int) -> None:
        super().__init__(whole.source, whole.hashes, whole.paths, whole.progress)
        self.number = number

    def __getitem__(self, track: Any) -> Any:
        return np.stack([clip[self.number] for clip in super().__getitem__(track)])


@dataclass(frozen=True)
class Prepared:
    """The tracks of a dataset that can be used, with their features.

    Attributes:
        good: (track of the dataset,) bool; whether it is kept.
        hashes: content hash of each kept track's audio.
        failures: files that could not be used.
        quarantined: {fault: tracks} left out because `mgc data check` listed them.
    """

    dataset: Dataset
    source: ExtractorSpec
    good: np.ndarray
    hashes: Sequence[str]
    failures: Sequence[Failure] = ()
    quarantined: dict[str, int] = field(default_factory=dict)
    progress: Progress = field(default_factory=Silent)

    @property
    def paths(self) -> list[Path]:
        """The audio of the kept tracks."""
        return [path for path, good in zip(self.dataset.paths(), self.good, strict=True) if good]

    def check(self) -> None:
        """Raise MgcError if no file can be used."""
        if not len(self.hashes):
            files = counted(len(self.dataset.tracks), "file")
            reason = self.failures[0].reason
            raise MgcError(f"None of the {files} could be used; the first: {reason}")

    @cached_property
    def kept(self) -> pd.DataFrame:
        """The rows of the kept tracks, index 0, 1, …"""
        return self.dataset.tracks[self.good].reset_index(drop=True)

    @cached_property
    def data(self) -> TrackData:
        """What a head may see."""
        genres = pd.Categorical(self.kept["genre"], categories=self.dataset.genres).codes
        return TrackData(
            kind=self.source.kind,
            features=StoredFeatures(self.source, self.hashes, self.paths, self.progress),
            genres=genres.astype(np.int64),
            groups=splits.groups(self.kept, self.dataset.record.get("group_by", "none")),
            n_genres=len(self.dataset.genres),
            unit=self.source.info.unit,
        )

    def data_for(self, fold: splits.Fold) -> TrackData:
        """What the head of a fold may see."""
        poolings, whole = self.source.poolings, self.data.features
        if not poolings:
            return self.data
        assert isinstance(whole, StoredFeatures)
        number = fold.number % len(poolings)  # without a basis, all folds share one
        return replace(self.data, features=PooledFeatures(whole, number), learnt=poolings[number])

    @property
    def audio_keys(self) -> list[str]:
        """What stands for the audio of each kept track in a run."""
        return [audio_key(sha) for sha in self.hashes]

    def textures(self) -> np.ndarray:
        """The mean texture of each kept track's clips (track, statistic), NaN if it has none."""
        source = self.source.texture
        stored = StoredFeatures(source, self.hashes, self.paths, self.progress)
        means = [
            np.mean(stored[track], axis=0) if sha in source.store else np.array([np.nan])
            for track, sha in enumerate(self.hashes)
        ]
        return np.stack(np.broadcast_arrays(*means))

    def folds(self, count: int, seed: int) -> list[splits.Fold]:
        """The folds in row numbers of `kept`.

        They are made from all tracks and thinned out afterwards, so that two systems that lost
        different files still have the same folds. Raises MgcError if a part is left empty.
        """
        number = np.cumsum(self.good) - 1
        renumbered = []
        for fold in self.thinned(make_folds(self.dataset, count, seed)):
            rows = {part: number[getattr(fold, part)] for part in PARTS}
            empty = [part for part in PARTS if not len(rows[part])]
            if empty:
                raise MgcError(
                    f"No usable track is left in the {empty[0]} part of fold {fold.number + 1}: "
                    f"{counted(len(self.failures), 'file')} could not be used, and "
                    f"{counted(sum(self.quarantined.values()), 'track')} in quarantine.",
                    f"See what is wrong with them: mgc data check {self.dataset.name}",
                )
            renumbered.append(splits.Fold(fold.number, **rows))
        return renumbered

    def thinned(self, folds: Sequence[splits.Fold]) -> list[splits.Fold]:
        """Folds of the dataset without the tracks that cannot be used, in rows of all tracks."""
        parts = [[getattr(fold, part) for part in PARTS] for fold in folds]
        return [
            splits.Fold(fold.number, *(rows[self.good[rows]] for rows in each))
            for fold, each in zip(folds, parts, strict=True)
        ]


def make_folds(dataset: Dataset, count: int, seed: int) -> list[splits.Fold]:
    """K folds, or (``count`` 0) the dataset's own split as the only fold; in rows of all tracks."""
    by = dataset.record.get("group_by", "none")
    if count:
        given = count == dataset.record.get("folds")
        return splits.k_folds(dataset.tracks, count, by, seed, given=given)
    return [splits.official_fold(dataset.tracks, by, seed)]


def doubts(dataset: Dataset, folds: Sequence[splits.Fold]) -> list[str]:
    """What makes these folds of a dataset hard to trust, in words."""
    count, given, tracks = len(folds), dataset.record.get("folds"), dataset.tracks
    found = remarks.about_folds(tracks, folds, remarks.fold_shares(count) if count > 1 else None)
    if count > 1 and count == given:
        known = grouping.facts(tracks.assign(split=tracks["fold"]), dataset.record["group_by"])
        if known["crossing"]:
            found.append(
                f"{known['crossing']:,} groups by {known['by']} are in more than one of the "
                "table's own folds, so the scores are too optimistic."
            )
    elif count > 1 and given:
        found.append(f"The table's own {given} folds are not used: they need --folds {given}.")
    return found


def prepare(
    dataset: Dataset,
    sources: Sequence[ExtractorSpec],
    progress: Progress,
    include_bad: bool = False,
    on: str | None = None,
) -> dict[str, Prepared]:
    """Extract what is missing, each file decoded once for all sources.

    Returns fingerprint → prepared features. Raises MgcError if no file can be used by the only
    source; of several, `Prepared.check` tells.
    """
    judge_again(dataset, progress)
    tracks, quarantined = usable(dataset, include_bad)
    wanted = dataset.tracks["track_id"].isin(set(tracks["track_id"])).to_numpy()
    paths = np.array(dataset.paths(), dtype=object)
    textures = [source.texture for source in sources]
    made = extract(list(paths[wanted]), [*sources, *textures], progress, on=on)
    prepared = {}
    for source in sources:
        whose = ("", source.store.fingerprint)
        failures = [failure for failure in made.failures if failure.fingerprint in whose]
        failed = {failure.path for failure in failures}
        good = wanted & np.array([path not in failed for path in paths])
        hashes = [made.hashes[path] for path in paths[good]]
        ready = Prepared(dataset, source, good, hashes, failures, quarantined, progress)
        prepared[source.store.fingerprint] = ready
        if len(sources) == 1:
            ready.check()
        gone = set(dataset.tracks["genre"]) - set(ready.kept["genre"])
        if gone and len(hashes):
            named = ", ".join(sorted(gone))
            progress.say(
                f"No tracks are left of {named}: the scores below cover only the other genres."
            )
    return prepared
