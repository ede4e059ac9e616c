"""``--pooled``: sequences that are kept as the vectors that estimator heads learn from.

The statistics of a clip depend on a whitening learnt from a fold's training frames. So each file is
heard twice: once to add up the sums that the whitening of each fold is made from, in the order of
the tracks, which gives the same bits as learning it from stored frames; and once to keep each
clip's statistics under it. The whitenings are kept in a store of their own, by what they were
learnt from; the statistics in one whose fingerprint holds the whitenings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mgc.audio import decoders
from mgc.audio.sound_length import HEARING_REVISION
from mgc.datasets.quality.checking import judge_again
from mgc.datasets.quarantine import usable
from mgc.errors import MgcError
from mgc.features import file_hashes
from mgc.features.extraction import Failure, Rows, features_of_each
from mgc.features.extraction.extract_tracks import alone
from mgc.features.extractor_spec import BASES, ExtractorSpec
from mgc.features.store import DamagedShardError, FeatureStore
from mgc.fitting.prepared import Prepared, make_folds, prepare
from mgc.fitting.request import FitRequest
from mgc.heads.pooling import COMPONENTS, EMBEDDING, REVISION, FrameSums, Pooling, statistics
from mgc.progress import Progress

GB = 1e9


@dataclass
class Lesson:
    """A pooling to be learnt from the ``tracks`` (row of the dataset,) that train a fold.

    ``heard`` counts those that it was learnt from; a file that cannot be used is not among them.
    """

    source: ExtractorSpec
    tracks: np.ndarray
    key: str
    sums: FrameSums = field(default_factory=FrameSums)
    heard: int = 0
    pooling: Pooling | None = None

    @property
    def store(self) -> FeatureStore:
        """Where the poolings of an extractor are kept: mean, components and `heard`."""
        return FeatureStore(self.source.name, {**self.source.identity(), "pooled": BASES})

    def recall(self) -> None:
        """Read what was learnt before, if it was."""
        store = self.store
        store.mended()
        try:
            mean, components, heard = store.read(self.key)
        except DamagedShardError as error:
            store.take_out(error.name)
        except KeyError:
            pass
        else:
            self.pooling, self.heard = Pooling("sequence", mean, components), int(heard[0])

    def learn(self, clips: Sequence[FrameSums]) -> None:
        """Add the clips of the next track."""
        self.sums, self.heard = sum(clips, self.sums), self.heard + 1

    def end(self) -> None:
        """Make the pooling and keep it; without any track there is none."""
        if self.heard:
            made = self.pooling = self.sums.pooling()
            heard = np.array([self.heard], np.float32)
            self.store.write_shard({self.key: [made.mean, made.components, heard]})


def prepare_requests(
    asked: Mapping[str, FitRequest], progress: Progress, on: str | None
) -> dict[str, Prepared]:
    """The features of requests on one dataset, by `FitRequest.features`; see `prepare`.

    Poolings are learnt on this machine.
    """
    first = next(iter(asked.values()))
    lessons: dict[str, list[Lesson]] = {}
    if first.pooled:
        judge_again(first.dataset, progress)
        lessons = _lessons(asked)
        _learn([one for each in lessons.values() for one in each], first, progress)
    sources = {key: _pooled(asked[key].source, lessons.get(key)) for key in asked}
    made = prepare(first.dataset, list(sources.values()), progress, first.include_bad, on)
    ready = {key: made[source.store.fingerprint] for key, source in sources.items()}
    for key, learnt in lessons.items():
        _confirm(ready[key], learnt)
    return ready


def _pooled(source: ExtractorSpec, lessons: Sequence[Lesson] | None) -> ExtractorSpec:
    """The extractor with its poolings; as it is if it has none, or if one has heard nothing."""
    if lessons is None:
        return source
    if source.info.unit == EMBEDDING:
        return replace(source, poolings=(Pooling.plain("sequence"),))
    poolings = tuple(one.pooling for one in lessons if one.pooling)
    return replace(source, poolings=poolings if len(poolings) == len(lessons) else ())


def _lessons(asked: Mapping[str, FitRequest]) -> dict[str, list[Lesson]]:
    """What to learn for each request: a pooling per fold, none of an encoder's states."""
    first = next(iter(asked.values()))
    tracks = usable(first.dataset, first.include_bad)[0]
    there = first.dataset.tracks["track_id"].isin(set(tracks["track_id"])).to_numpy()
    paths = np.array(first.dataset.paths(), dtype=object)
    hashes = np.full(len(paths), "", dtype=object)
    hashes[there] = file_hashes.hashes(list(paths[there]))
    lessons: dict[str, list[Lesson]] = {}
    for key, request in asked.items():
        own = lessons.setdefault(key, [])
        if request.source.info.unit == EMBEDDING:
            continue
        for fold in make_folds(request.dataset, request.folds, request.seed):
            rows = fold.training[there[fold.training]]
            what = [request.source.store.fingerprint, REVISION, HEARING_REVISION, decoders.pyav()]
            text = json.dumps([*what, list(hashes[rows])])
            own.append(Lesson(request.source, rows, hashlib.sha256(text.encode()).hexdigest()))
    return lessons


def _learn(lessons: Sequence[Lesson], request: FitRequest, progress: Progress) -> None:
    """Hear the tracks of those lessons that were not learnt before."""
    if not _to_learn(lessons):
        return
    paths = request.dataset.paths()
    with alone(paths, [lesson.source for lesson in lessons], progress):
        _hear(_to_learn(lessons), paths, progress)


def _to_learn(lessons: Sequence[Lesson]) -> list[Lesson]:
    """Those that were not learnt before."""
    for lesson in lessons:
        if not lesson.pooling:
            lesson.recall()
    return [lesson for lesson in lessons if not lesson.pooling]


def _hear(todo: Sequence[Lesson], paths: Sequence[Path], progress: Progress) -> None:
    """Learn them all in one pass."""
    sources = {lesson.source.store.fingerprint: lesson.source for lesson in todo}
    of_track: dict[int, list[Lesson]] = {}
    for lesson in todo:
        for row in lesson.tracks:
            of_track.setdefault(int(row), []).append(lesson)
    rows = sorted(of_track)
    names = " + ".join(dict.fromkeys(source.name for source in sources.values()))
    if not rows:
        return
    with progress.task(f"learning the pooling of {names}", len(rows), "tracks") as task:
        heard = _heard([paths[row] for row in rows], sources)
        told = False
        for row, made in zip(rows, heard, strict=True):
            if made and not told:
                progress.say(_saving(made, todo, len(paths)))
                told = True
            sums = {whose: [FrameSums.of(clip) for clip in clips] for whose, clips in made.items()}
            for lesson in of_track[row]:
                if clips := sums.get(lesson.source.store.fingerprint):
                    lesson.learn(clips)
            task.advance()
    for lesson in todo:
        lesson.end()


def _heard(
    paths: Sequence[Path], sources: Mapping[str, ExtractorSpec]
) -> Iterator[dict[str, Rows]]:
    """The features of each file, by fingerprint; those that cannot be made are absent."""
    made_of_each = features_of_each(paths, list(sources.values()))
    for path, (_, made, _) in zip(paths, made_of_each, strict=True):
        if not isinstance(made, Failure):
            yield dict(zip(sources, made, strict=True))
        elif len(sources) == 1:
            yield {}
        else:  # of one extractor, perhaps
            alone = {whose: next(_heard([path], {whose: sources[whose]})) for whose in sources}
            yield {whose: clips for one in alone.values() for whose, clips in one.items()}


def _saving(made: Mapping[str, Rows], lessons: Sequence[Lesson], tracks: int) -> str:
    """What is kept instead of what, from the features of one track."""
    whole = sum(clip.nbytes for clips in made.values() for clip in clips)
    kept = 0
    for lesson in lessons:
        for clip in made.get(lesson.source.store.fingerprint, ()):
            kept += statistics(np.zeros((min(COMPONENTS, len(clip)), 2), np.float32)).nbytes
    return (
        f"Pooled: about {kept * tracks / GB:.2g} GB are kept instead of {whole * tracks / GB:.2g} "
        "GB. Each file is decoded twice: first to learn the pooling."
    )


def _confirm(ready: Prepared, lessons: Sequence[Lesson]) -> None:
    """Forget the poolings and raise MgcError if other files could be used when they were learnt."""
    other = [one for one in lessons if one.pooling and ready.good[one.tracks].sum() != one.heard]
    if other:
        other[0].store.leave_out({one.key for one in other})
        raise MgcError(
            f"Some files of {ready.dataset.name!r} could be used at one time and not at another, "
            "so the pooling was not learnt from the same tracks.",
            "Run the same command again: it learns the pooling anew.",
        )
