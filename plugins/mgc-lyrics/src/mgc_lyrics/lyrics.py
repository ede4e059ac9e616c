"""The extractor: sound → words → one vector per clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mgc.audio.clips import Clips
from mgc.extractors.pretrained_weights import Weights
from mgc_lyrics.plugin import WINDOW
from mgc_lyrics.text import vector
from mgc_lyrics.transcription import Transcriber, Transcript

#: Needed besides the weights: what turns tokens into text, and which token means what.
TOKENS = (
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json",
    "merges.txt", "added_tokens.json", "special_tokens_map.json", "normalizer.json",
)  # fmt: skip
MIN_SAMPLES = 8_000  # samples (half a second): a shorter remainder holds no words


@dataclass(frozen=True)
class LyricsParams:
    """``model``: a hub name or a local folder, at a ``revision`` of the hub; ``language``: a code
    such as ``es``; None detects it; ``translate``: write in English; ``words``: hash buckets;
    ``no_speech``: probability above which unsure words are dropped; ``longest``: tokens per window.
    """

    model: str = "openai/whisper-base"
    revision: str | None = None
    language: str | None = None
    translate: bool = False
    words: PositiveInt = 256
    no_speech: Annotated[float, Field(ge=0, le=1)] = 0.6
    longest: PositiveInt = 224


class Lyrics:
    """What is sung, as Whisper writes it down: facts, languages and hashed words.

    The words themselves are not stored.
    """

    Params = LyricsParams

    def __init__(self, params: LyricsParams, device: str) -> None:
        self.params = params
        self.device = device

    def identity(self) -> str:
        """The weights and the precision."""
        return f"sha256:{self.weights.digest()} fp32"

    def fetch(self) -> Path:
        """Download the weights and the tokenizer."""
        return self.weights.fetch()

    @torch.inference_mode()
    def __call__(self, clips: Clips) -> Tensor:
        """(clip, feature) float32; see `mgc_lyrics.text.vector`."""
        waves = [wave[:n] for wave, n in zip(clips.waves.cpu(), clips.lengths, strict=True)]
        rows = [
            vector(windows, self.params.no_speech, self.params.words)
            for windows in self.transcripts(waves)
        ]
        return torch.stack([torch.from_numpy(row) for row in rows]).to(clips.device)

    def transcripts(self, waves: Sequence[Tensor]) -> list[list[Transcript]]:
        """What was sung in each window of 30 s of each clip (sample,) at 16 kHz."""
        clips = [windows_of(wave) for wave in waves]
        cut = [window for windows in clips for window in windows]
        made: list[Transcript] = []
        for first in range(0, len(cut), self._transcribe.together):
            batch = cut[first : first + self._transcribe.together]
            made += self._transcribe(batch, WINDOW // 30)
        rest = iter(made)
        return [list(islice(rest, len(windows))) for windows in clips]

    @cached_property
    def weights(self) -> Weights:
        """Where the model is."""
        return Weights("lyrics", self.params.model, self.params.revision, TOKENS)

    @cached_property
    def _transcribe(self) -> Transcriber:
        p = self.params
        return Transcriber(self.weights, self.device, p.language, p.translate, p.longest)


def windows_of(wave: Tensor) -> list[Tensor]:
    """A clip (sample,) in parts of 30 s."""
    parts = list(wave.split(WINDOW))
    if len(parts) > 1 and len(parts[-1]) < MIN_SAMPLES:
        parts.pop()
    return parts
