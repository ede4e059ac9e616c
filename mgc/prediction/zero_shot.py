"""Genres given by name: an extractor that embeds text, too, compares audio with their names.

Nothing is trained. A genre's vector is the mean over the extractor's prompts, each of unit length;
the probabilities of a clip are the softmax of ``logit_scale`` × cosine (Radford et al. 2021).
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from mgc import resolve
from mgc.errors import MgcError, UsageError
from mgc.features.extraction import Rows
from mgc.features.extractor_spec import ExtractorSpec
from mgc.home import weights_here
from mgc.plugins import registry
from mgc.plugins.contract import ExtractorInfo
from mgc.prediction.model import Model
from mgc.prediction.predictor import Answers, BasePredictor
from mgc.runs.reference import Reference, any_music
from mgc.strategies.calibration import softmax
from mgc.training import outputs

MIN_GENRES, MAX_GENRES = 2, 200
MAX_CHARACTERS = 100  # of a name: every tokenizer takes that many
JOINERS = {0x200C: None, 0x200D: None}  # invisible, between letters of Persian, Hindi and emoji
EXAMPLE = 'For example: mgc predict song.mp3 --genres "dub techno, shoegaze, bolero"'


def zero_shot(
    genres: str | Sequence[str], extractor: str | None, assignments: Sequence[str], device: str
) -> Model:
    """The model of genres given by name; see `mgc.zero_shot`."""
    names = checked(genres)
    chosen = extractor or _default_extractor()
    (source,) = resolve.sources([chosen], assignments, resolve.policy(None, None), device)
    if not hasattr(source.implementation, "embed_text"):
        able = ", ".join(info.name for info in _able())
        raise UsageError(
            f"Extractor {chosen!r} cannot compare audio with words: it has no embed_text.",
            f"Those that can: {able or 'none; pip install mgc-encoders'}.",
        )
    return Model(ZeroShotPredictor(source, names))


def checked(genres: str | Sequence[str]) -> list[str]:
    """The names, which a string has between commas (double quotes hold commas of a name), without
    surplus white space.

    Raises UsageError if a name is empty, too long, not printable or given twice (in whatever
    case), or if there are too few or too many.
    """
    given = _listed(genres) if isinstance(genres, str) else [*genres]
    for genre in given:
        if not isinstance(genre, str):
            raise UsageError(f"{genre!r:.40} is no name of a genre.", "Give a list of texts.")
    names = [" ".join(genre.split()) for genre in given]
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if fault := _fault(name):
            raise UsageError(f"Genre {number} of {len(names)} {fault}.", EXAMPLE)
        key = unicodedata.normalize("NFKC", name).casefold()
        if key in seen:
            raise UsageError(f"Genre {name!r} is given twice.", "Leave one of them out.")
        seen.add(key)
    if not MIN_GENRES <= len(names) <= MAX_GENRES:
        raise UsageError(f"Give {MIN_GENRES} to {MAX_GENRES} genres, not {len(names)}.", EXAMPLE)
    return names


def _listed(text: str) -> list[str]:
    try:
        return next(csv.reader([" ".join(text.split())], skipinitialspace=True)) or [""]
    except csv.Error as error:
        raise UsageError(f"The genres cannot be read: {error}.", EXAMPLE) from error


def _fault(name: str) -> str:
    visible = name.translate(JOINERS)
    if not visible:
        return "is empty"
    if len(name) > MAX_CHARACTERS:
        return f"has over {MAX_CHARACTERS} characters"
    return "" if visible.isprintable() else "is not readable text"


def _able() -> list[ExtractorInfo]:
    """The installed extractors that embed text."""
    entries = registry.catalogue().entries("extractor")
    return [e.info for e in entries if _embeds_text(e) and isinstance(e.info, ExtractorInfo)]


def _embeds_text(entry: registry.Entry) -> bool:
    try:
        return entry.status == "ready" and hasattr(registry.load(entry), "embed_text")
    except MgcError:
        return False


def _default_extractor() -> str:
    """The only extractor that embeds text; of several, the only one whose weights are here."""
    able = _able()
    names = [i.name for i in able if weights_here(i.weights)] or [i.name for i in able]
    if len(names) == 1:
        return names[0]
    if names:
        raise UsageError(
            f"Several extractors compare audio with words: {', '.join(names)}.",
            f"Choose one: --extractor {names[0]}",
        )
    raise MgcError(
        "No installed extractor compares audio with words.",
        "For example: pip install mgc-encoders, then: mgc features fetch clap",
    )


class ZeroShotPredictor(BasePredictor):
    """An extractor, and the vectors of the genres' names in its space."""

    label = "zero-shot"

    def __init__(self, source: ExtractorSpec, genres: list[str]) -> None:
        self.source = source
        self.name = source.name
        self.genres = genres
        self.prompts: Sequence[str] = getattr(source.implementation, "prompts", ("{}",))

    @property
    def reference(self) -> Reference:
        """Nobody knows all its training music: music in general."""
        return any_music()

    @property
    def sources(self) -> list[ExtractorSpec]:
        """The one extractor."""
        return [self.source]

    def prepare(self) -> None:
        """Embed the names of the genres."""
        _ = self.texts

    def identity(self) -> dict[str, Any]:
        """The extractor and its prompts."""
        return {"zero-shot": self.source.identity(), "prompts": list(self.prompts)}

    @cached_property
    def texts(self) -> np.ndarray:
        """(genre, dimension) float64 of unit length: the mean over the prompts."""
        extractor: Any = self.source.extractor
        with self.source.blamed("embed_text"), torch.inference_mode():
            filled = [[prompt.format(genre) for genre in self.genres] for prompt in self.prompts]
            made = [extractor.embed_text(texts) for texts in filled]
        rows = [outputs.embeddings(self.source, one, len(self.genres)) for one in made]
        return _unit(np.mean([_unit(row) for row in rows], axis=0))

    def answers(self, made: Sequence[Rows]) -> Answers:
        """Probabilities (1, genre), and the clips' mean (1, dimension)."""
        clips = np.stack(made[0])
        extractor: Any = self.source.extractor
        with self.source.blamed("embed_text"):
            shares = softmax(float(extractor.logit_scale) * (_unit(clips) @ self.texts.T))
        if not np.isfinite(shares).all():
            raise self.source.failure("gave text numbers that are not finite.")
        return [[(shares.mean(0, keepdims=True), clips.mean(0, keepdims=True))]]

    def by_fold(self, answers: Answers) -> np.ndarray:
        """(1, genre) float64: the only member's answer."""
        return answers[0][0][0]


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows (row, dimension) as float64 of unit length; a row of zeros stays."""
    wide = rows.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(length, length, 1.0))
