"""Run × any audio → genres. Features are made in memory; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mgc import fitting, runs
from mgc.datasets.importers.folder import audio_files
from mgc.errors import MgcError, UsageError
from mgc.features.extraction import Failure, Rows, features_of_each, rows_of
from mgc.features.extractor_spec import ExtractorSpec
from mgc.runs import Run
from mgc.training import FittedHead, restore_head


@dataclass(frozen=True)
class Prediction:
    """What a run says of one file: a probability for each genre."""

    path: Path
    genres: Sequence[str]
    probabilities: np.ndarray

    def ranked(self) -> list[tuple[str, float]]:
        """(genre, probability), the likeliest first."""
        order = np.argsort(-self.probabilities, kind="stable")
        return [(self.genres[i], float(self.probabilities[i])) for i in order]


class Predictor:
    """A run, ready to hear audio. A fold run answers with the mean of its folds' models."""

    def __init__(self, run: Run, device: str = "cpu") -> None:
        self.run = run
        self.device = device

    @cached_property
    def members(self) -> list[Run]:
        """The single runs behind the run: itself, or an ensemble's members (copies of its own)."""
        if self.run.kind == "single":
            return [self.run]
        return [
            runs.load(str(self.run.folder / "members" / name))
            for name in self.run.record["members"]
        ]

    @cached_property
    def sources(self) -> list[ExtractorSpec]:
        """The extractor of each member, set as it was trained."""
        return [fitting.load_source(member, self.device) for member in self.members]

    @cached_property
    def heads(self) -> list[list[FittedHead]]:
        """The trained heads of each member, one a fold."""
        return [
            [restore_head(folder, self.device) for folder in fitting.model_folders(member)]
            for member in self.members
        ]

    @cached_property
    def heard(self) -> dict[str, ExtractorSpec]:
        """The different extractors, by fingerprint; members with the same one share its work."""
        return {source.store.fingerprint: source for source in self.sources}

    def predict(self, path: Path) -> Prediction:
        """Predict one file. Raises AudioError where it cannot be used."""
        return self._answer(path, rows_of(path, list(self.heard.values())))

    def _answer(self, path: Path, made: Sequence[Rows]) -> Prediction:
        """What the heads say of the features of one file, given in the order of `heard`."""
        features = dict(zip(self.heard, made, strict=True))
        by_member = [
            [head.predict([features[source.store.fingerprint]]) for head in heads]
            for source, heads in zip(self.sources, self.heads, strict=True)
        ]
        if self.run.kind == "single":
            probabilities = np.mean([answer[0][0] for answer in by_member[0]], axis=0)
        else:
            from mgc.ensembling import apply_ensemble

            probabilities = apply_ensemble(self.run, by_member)[0]
        return Prediction(path, self.run.genres, probabilities)

    def prepare(self) -> None:
        """Load everything but the audio.

        Raises MgcError where the run cannot predict at all: a plug-in or weights are gone.
        """
        _ = self.sources, self.heads
        if self.run.kind == "ensemble":
            from mgc.ensembling import load_combinations

            load_combinations(self.run)

    def predict_all(
        self, paths: Sequence[Path], workers: int | None = None
    ) -> Iterator[Prediction | Failure]:
        """Predict files in their order; one that cannot be used is a `Failure` in its place.

        ``workers`` is as for `mgc.features.extraction.extract`. Raises MgcError if the run itself
        cannot be used; see `prepare`.
        """
        self.prepare()
        sources = list(self.heard.values())
        for path, made in features_of_each(paths, sources, workers=workers):
            if isinstance(made, Failure):
                yield made
                continue
            try:
                yield self._answer(path, made)
            except MgcError as error:
                yield Failure(path, error.message)


def collect(paths: Sequence[Path]) -> list[Path]:
    """The files meant by files and folders, folders searched to the bottom.

    Raises UsageError where a path is not there or nothing is found.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += audio_files(path)
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path} does not exist.", "Check the path.")
    if not found:
        raise UsageError(
            f"There is no audio in {', '.join(map(str, paths))}.", "mp3, wav, flac, ogg and more."
        )
    return list(dict.fromkeys(found))
