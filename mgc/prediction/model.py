"""A run, or genres by name, applied to any audio. Features stay in memory; nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mgc.audio.given import given
from mgc.errors import MgcError
from mgc.features.extraction import Failure, Rows
from mgc.prediction.conformal_sets import GenreSets
from mgc.prediction.prediction import Prediction
from mgc.prediction.predictor import Answers, BasePredictor, Predictor
from mgc.prediction.unlike import HeardBefore, checked_rate
from mgc.progress import Progress, Silent
from mgc.runs import Run
from mgc.runs.reference import UNKNOWN

if TYPE_CHECKING:
    from mgc.prediction.explanation import Explanation
    from mgc.prediction.similar import Among, Neighbours
    from mgc.prediction.timeline import Timeline


@dataclass(frozen=True)
class Features:
    """What a model needs to know of one piece of audio.

    Attributes:
        path: the file; None for an open file or an array.
        rows: the clips of each of the predictor's `heard`.
        seconds: how much audio was heard.
        remark: what to know about the audio (it is silent, …), or "".
        length: of all of the audio, in seconds; 0 if it is not known.
        heard_before: what is known of a file that the model learnt from; None of any other.
    """

    path: Path | None
    rows: Sequence[Rows]
    seconds: float = 0.0
    remark: str = ""
    length: float = 0.0
    heard_before: HeardBefore | None = None


class Model:
    """A finished run, or genres given by name (`mgc.zero_shot`), ready to hear audio.

    A run of several folds answers with the mean of its folds' models. Everything is loaded at the
    first prediction.
    """

    def __init__(self, source: Run | BasePredictor, device: str = "cpu") -> None:
        self.predictor: BasePredictor = (
            source if isinstance(source, BasePredictor) else Predictor(source, device)
        )

    @cached_property
    def sets(self) -> GenreSets:
        """What the sets of the answers are calibrated on."""
        return GenreSets(self.run, self.name)

    @property
    def run(self) -> Run | None:
        """The run, if there is one."""
        return self.predictor.run

    @property
    def name(self) -> str:
        """The run's name, or the extractor's if there is no run."""
        return self.predictor.name

    @property
    def genres(self) -> list[str]:
        """The genres, in the order of all probabilities."""
        return self.predictor.genres

    def predict(self, audio: object, *, unknown: float = UNKNOWN) -> Prediction:
        """Predict one piece of audio.

        Args:
            audio: a path, a binary file object, or (samples, sample rate in Hz); the forms are
                described at `mgc.audio.given.given`.
            unknown: the share of held-out music that may be lost as unknown; 0 turns it off.

        Raises:
            AudioError: the audio cannot be used.
            MgcError: the model cannot be used because a plug-in or weights are missing.
        """
        checked_rate(unknown)
        return self.predict_features([self.features(audio)], unknown=unknown)[0]

    def features(self, audio: object) -> Features:
        """What the model needs to know of one piece of audio to answer: the part of `predict` that
        opens the file. Raises as `predict` does."""
        found = given(audio)
        made, heard = self.predictor.features(found)
        path = found if isinstance(found, Path) else None
        before = None if path is None else self.predictor.heard_before(path)
        return Features(path, made, *heard, before)

    def predict_features(
        self, batch: Sequence[Features], *, unknown: float = UNKNOWN
    ) -> list[Prediction]:
        """Predict what `features` made, perhaps in other processes; each head answers once."""
        rate = checked_rate(unknown)
        answers = self.predictor.answers_of_each([each.rows for each in batch])
        return [self._prediction(*pair, rate) for pair in zip(batch, answers, strict=True)]

    def predict_many(
        self,
        paths: Iterable[str | os.PathLike[str]],
        workers: int | None = None,
        progress: Progress | None = None,
        unknown: float = UNKNOWN,
    ) -> Iterator[Prediction]:
        """Predict files in order, yielding each prediction when it is ready.

        Args:
            paths: the audio files.
            workers: number of processes; None uses one per core if that pays, 1 only this one.
            progress: is told about the files done.
            unknown: as in `predict`.

        Yields:
            A prediction per file; one that cannot be used has an ``error``.

        Raises:
            MgcError: the model itself cannot be used.
        """
        files, rate = [Path(path) for path in paths], checked_rate(unknown)
        with (progress or Silent()).task(
            f"predicting with {self.name}", len(files), "files"
        ) as task:
            self.predictor.prepare()
            made = self.predictor.features_of_each(files, workers)
            for path, (_, features, heard) in zip(files, made, strict=True):
                if isinstance(features, Failure):
                    answer = Prediction(path, error=features.reason)
                else:
                    try:
                        before = self.predictor.heard_before(path)
                        made_of = Features(path, features, *heard, before)
                        (answer,) = self.predict_features([made_of], unknown=rate)
                    except MgcError as error:
                        answer = Prediction(path, error=error.message)
                task.advance()
                yield answer

    def embed(self, audio: object) -> np.ndarray:
        """The embedding of one piece of audio: float32 (dimension,), the mean over its clips.

        For a run of several folds it is the first fold's, since each fold has its own space; for
        an ensemble, the embeddings of its members, side by side. Raises as `predict` does.
        """
        return np.concatenate(self.predictor.embedded(given(audio))[0]).astype(np.float32)

    def similar(
        self,
        audio: object,
        among: Among = None,
        count: int = 10,
        *,
        same_artist: bool = False,
        progress: Progress | None = None,
    ) -> Neighbours:
        """The known tracks that are nearest to audio by the model's embedding, nearest first.

        Args:
            audio: as for `predict`, or the id of one of the known tracks.
            among: a dataset or a run (or its name) whose tracks are known, or the paths of files,
                whose artists are those of their tags; None is the model's own. Features are
                extracted if they are missing, and kept.
            count: the most tracks to return.
            same_artist: also return tracks of the artist of ``audio``.
            progress: is told about the tracks embedded.

        Raises:
            UsageError: a name is unknown, or the model has no tracks of its own.
            AudioError, MgcError: as for `predict`.
        """
        from mgc.prediction.similar import similar

        return similar(self.predictor, audio, among, count, same_artist, progress or Silent())

    def timeline(
        self,
        audio: object,
        window: float | None = None,
        hop: float | None = None,
        smooth: float | None = None,
        progress: Progress | None = None,
    ) -> Timeline:
        """Say which genre is heard when, in audio of any length; it is decoded once.

        Args:
            audio: as for `predict`.
            window: seconds that each answer is about; None is 10, or the run's clips if shorter.
            hop: seconds between windows, at most ``window``; None is half of it.
            smooth: fewer changes, see `Timeline.smoothed`; None joins only equal answers.
            progress: is told about the windows done.

        Raises:
            UsageError: a length is not possible.
            AudioError, MgcError: as for `predict`.
        """
        from mgc.prediction.timeline import timeline

        return timeline(self.predictor, given(audio), window, hop, smooth, progress)

    def explain(
        self, audio: object, genre: str | None = None, progress: Progress | None = None
    ) -> Explanation:
        """Say which members, seconds and frequency bands decide the answer for one piece of audio.

        Args:
            audio: as for `predict`.
            genre: the genre to explain; None is the most likely one.
            progress: is told about the parts that have been taken out.

        Raises:
            UsageError: the model does not know the genre.
            AudioError, MgcError: as for `predict`.
        """
        from mgc.prediction.explanation import explain

        return explain(self.predictor, given(audio), genre, progress or Silent())

    def heard_before(self, path: str | os.PathLike[str]) -> HeardBefore | None:
        """What is known of a file that the model learnt from; None of any other. Raises AudioError
        if the file cannot be read."""
        return self.predictor.heard_before(Path(path))

    def _prediction(self, of: Features, answers: Answers, rate: float) -> Prediction:
        by_fold = self.predictor.by_fold(answers)
        unlike, known = self.predictor.unlike(of.rows, rate)
        return Prediction(
            of.path,
            self._shares(by_fold.mean(0)),
            of.seconds,
            remark=of.remark,
            set_at=partial(self.sets.genres_at, by_fold),
            unlike=unlike,
            known=known and not (rate and of.remark),
            heard_before=of.heard_before,
            views={
                name: self._shares(view)
                for name, view in self.predictor.member_views(answers).items()
            },
        )

    def _shares(self, row: np.ndarray) -> dict[str, float]:
        return dict(zip(self.genres, row.tolist(), strict=True))

    def __repr__(self) -> str:
        return f"<Model {self.name}: {self.predictor.label}, {len(self.genres)} genres>"

    def _repr_html_(self) -> str:
        """Name, parts and genres, for a notebook."""
        genres = escape(", ".join(self.genres))
        return f"<p><b>{escape(self.name)}</b>: {escape(self.predictor.label)}<br>{genres}</p>"
