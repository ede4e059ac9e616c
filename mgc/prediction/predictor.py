"""What answers for audio: extractors, and probabilities from their features."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from mgc import runs
from mgc.audio import decoders
from mgc.audio.given import Audio
from mgc.ensembling.combination import combined_by_fold, load_combinations
from mgc.errors import AudioError, counted
from mgc.features.extraction import Failure, Rows, features_of_each
from mgc.features.extraction.one_file import Heard, rows_and_seconds
from mgc.features.extraction.tasks import one_thread
from mgc.features.extractor_spec import ExtractorSpec
from mgc.plugins import plugin_process
from mgc.prediction.head_apart import HeadApart
from mgc.prediction.unlike import HeardBefore, TrainingMusic, mean_texture
from mgc.runs import Run, models
from mgc.runs.reference import Reference
from mgc.training.fitted_head import FittedHead, restore_head

#: The output of each member's heads, one per fold: probabilities and embeddings of a single track.
Answers = list[list[tuple[np.ndarray, np.ndarray]]]


class BasePredictor(ABC):
    """Hears audio with extractors and answers from their features.

    Everything is loaded when it is first used.
    """

    run: Run | None = None
    name: str
    label: str
    genres: list[str]

    @property
    def reference(self) -> Reference | None:
        """What `unlike` compares with, if there is anything."""
        return None

    @property
    @abstractmethod
    def sources(self) -> list[ExtractorSpec]:
        """The extractors, one per member."""

    @abstractmethod
    def prepare(self) -> None:
        """Load everything but the audio.

        Raises MgcError if nothing can be predicted: a plug-in or weights are missing.
        """

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What the answers depend on besides the genres, as plain values."""

    @abstractmethod
    def answers(self, made: Sequence[Rows]) -> Answers:
        """What every member predicts from the features of one piece of audio, in the order of
        `answering` (or of `heard`)."""

    def answers_of_each(self, batch: Sequence[Sequence[Rows]]) -> list[Answers]:
        """`answers` for several pieces of audio."""
        return [self.answers(made) for made in batch]

    @abstractmethod
    def by_fold(self, answers: Answers) -> np.ndarray:
        """(fold, genre) float64: the members' `answers` as one, by each fold's models; one row
        without folds."""

    def combined(self, answers: Answers) -> np.ndarray:
        """(genre,) float64: the mean of `by_fold`."""
        mean: np.ndarray = self.by_fold(answers).mean(0)
        return mean

    def probabilities(self, made: Sequence[Rows]) -> np.ndarray:
        """(genre,) float64: the probabilities of one piece of audio."""
        return self.combined(self.answers(made))

    def member_views(self, answers: Answers) -> dict[str, np.ndarray]:
        """What each member of an ensemble says of one piece of audio, by its label: (genre,)."""
        return {}

    def embeddings(self, made: Sequence[Rows]) -> list[np.ndarray]:
        """Each member's embedding (dimension,) of one piece of audio, by its first fold's model."""
        return [folds[0][1][0] for folds in self.answers(made)]

    @cached_property
    def answering(self) -> dict[str, ExtractorSpec]:
        """The different extractors, by fingerprint; members with the same one share its work."""
        return {source.store.fingerprint: source for source in self.sources}

    @cached_property
    def heard(self) -> dict[str, ExtractorSpec]:
        """Those of `answering`, and behind them that of the texture if there is a reference."""
        texture = [] if self.reference is None else [self.sources[0].texture]
        return self.answering | {source.store.fingerprint: source for source in texture}

    def unlike(self, made: Sequence[Rows], rate: float) -> tuple[float | None, bool | None]:
        """`Reference.unlike` of audio with these features (as in `heard`); None, None if the model
        keeps nothing to say so."""
        if self.reference is None:
            return None, None
        features = dict(zip(self.heard, made, strict=True))
        texture = mean_texture(features[self.sources[0].texture.store.fingerprint])
        try:
            return self.reference.unlike(texture, rate)
        except ValueError:
            if self.run is None:
                raise
            raise runs.damaged(self.run.folder, "its reference has other statistics") from None

    def heard_before(self, path: Path) -> HeardBefore | None:
        """What is known of a file that the model learnt from; None of any other."""
        return None

    def embedded(self, audio: Audio) -> tuple[list[np.ndarray], Heard]:
        """The `embeddings` of one piece of audio, and what was heard. Raises AudioError if it
        cannot be used."""
        made, heard = self._features(audio, list(self.answering.values()))
        return self.embeddings(made), heard

    def features(self, audio: Audio) -> tuple[list[Rows], Heard]:
        """The features of one piece of audio, in the order of `heard`, and what was heard.

        Raises AudioError if it cannot be used.
        """
        return self._features(audio, list(self.heard.values()))

    def _features(self, audio: Audio, sources: list[ExtractorSpec]) -> tuple[list[Rows], Heard]:
        if all(source.device == "cpu" for source in sources):
            with one_thread(), decoders.noting() as hearing:
                made, seconds = rows_and_seconds(audio, sources)
            return made, Heard(seconds, hearing.remark, hearing.seconds)
        [(_, found, heard)] = features_of_each([audio], sources, workers=1)
        if isinstance(found, Failure):
            raise AudioError(found.reason)
        return found, heard

    def features_of_each(
        self, paths: Sequence[Path], workers: int | None
    ) -> Iterator[tuple[Audio, list[Rows] | Failure, Heard]]:
        """`features` of files, in order, in several processes if that pays."""
        return features_of_each(paths, list(self.heard.values()), workers=workers)


class Predictor(BasePredictor):
    """The extractors, heads and combinations of a run."""

    def __init__(self, run: Run, device: str = "cpu") -> None:
        self.run: Run = run
        self.name, self.label, self.genres = run.name, run.label, run.genres
        self.device = device

    @cached_property
    def members(self) -> list[Run]:
        """The single runs behind the run: itself, or an ensemble's members (its own copies)."""
        if self.run.kind == "single":
            return [self.run]
        folder = self.run.folder / "members"
        found = [runs.load(str(folder / name)) for name in self.run.record.members]
        if not found:
            raise runs.damaged(self.run.folder, "it names no members")
        for member in found:
            if member.kind != "single":
                raise runs.damaged(self.run.folder, f"its member {member.name!r} is an ensemble")
        return found

    @cached_property
    def sources(self) -> list[ExtractorSpec]:
        """The extractor of each member, with the settings of its training."""
        return [models.load_source(member, self.device) for member in self.members]

    @cached_property
    def training_music(self) -> TrainingMusic:
        """What the run keeps of its training music."""
        return TrainingMusic(self.run, self.members)

    @cached_property
    def reference(self) -> Reference | None:
        """What `unlike` compares with; None in a run of an earlier mgc."""
        return self.training_music.reference(self.sources[0].texture.info.revision)

    def heard_before(self, path: Path) -> HeardBefore | None:
        """What is known of a file that the run learnt from."""
        return self.training_music.heard_before(path)

    @cached_property
    def heads(self) -> list[list[FittedHead | HeadApart]]:
        """The trained heads of each member, one per fold."""
        return [
            [self._restored(member, folder) for folder in models.model_folders(member)]
            for member in self.members
        ]

    def _restored(self, member: Run, folder: Path) -> FittedHead | HeadApart:
        head: FittedHead | HeadApart
        if plugin_process.is_wanted((made := member.record.head).distribution):
            head = HeadApart(made.name, folder, self.device)
        else:
            head = restore_head(folder, self.device)
        if head.n_genres != len(member.genres):
            wrong = f"{folder.name}/head.json has {counted(head.n_genres, 'genre')}"
            raise runs.damaged(member.folder, f"{wrong}, run.json {len(member.genres):,}")
        return head

    @cached_property
    def libraries(self) -> ThreadpoolController:
        """Those that compute what the heads say, each in a single thread: the products are small,
        and threads that wait for each other take many times as long if other processes run."""
        _ = self.heads  # which load them
        return ThreadpoolController()

    def prepare(self) -> None:
        """Load everything but the audio."""
        _ = self.sources, self.heads, self.reference
        if self.run.kind == "ensemble":
            load_combinations(self.run)

    def identity(self) -> dict[str, Any]:
        """The run, by the content of its ``run.json``."""
        return {"run": hashlib.sha256((self.run.folder / "run.json").read_bytes()).hexdigest()}

    def answers(self, made: Sequence[Rows]) -> Answers:
        """What every member predicts from the features of one piece of audio."""
        return self.answers_of_each([made])[0]

    def answers_of_each(self, batch: Sequence[Sequence[Rows]]) -> list[Answers]:
        """What every member predicts for several pieces of audio, each head at once."""
        return self._answers(batch, slice(None))

    def embeddings(self, made: Sequence[Rows]) -> list[np.ndarray]:
        """See `BasePredictor.embeddings`."""
        return [folds[0][1][0] for folds in self._answers([made], slice(1))[0]]

    def _answers(self, batch: Sequence[Sequence[Rows]], folds: slice) -> list[Answers]:
        features = []
        for made in batch:
            wide = ([np.asarray(clip, np.float32) for clip in rows] for rows in made)
            features.append(dict(zip(self.answering, wide, strict=False)))  # `heard` has one more
        prints = [source.store.fingerprint for source in self.sources]
        with self.libraries.limit(limits=1, user_api="blas"):
            said = [
                [head.predict([own[name] for own in features]) for head in heads[folds]]
                for name, heads in zip(prints, self.heads, strict=True)
            ]
        return [
            [[(p[n : n + 1], e[n : n + 1]) for p, e in member] for member in said]
            for n in range(len(batch))
        ]

    def member_views(self, answers: Answers) -> dict[str, np.ndarray]:
        """See `BasePredictor.member_views`."""
        if self.run.kind == "single":
            return {}
        labels = [member.label for member in self.members]
        named = [m.label if labels.count(m.label) == 1 else m.name for m in self.members]
        means = (np.mean([shares[0] for shares, _ in folds], axis=0) for folds in answers)
        return dict(zip(named, means, strict=True))

    def by_fold(self, answers: Answers) -> np.ndarray:
        """(fold, genre) float64: the answers of a run, or those of members combined."""
        if self.run.kind == "single":
            return np.array([answer[0][0] for answer in answers[0]])
        return combined_by_fold(self.run, answers)[:, 0]
