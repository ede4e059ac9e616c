"""From sound to words: Whisper's encoder and decoder, read greedily.

After Radford et al. 2022, "Robust speech recognition via large-scale weak supervision", section
4.5. Left out of their method: sampling at higher temperatures if greedy decoding fails (the
window's words are dropped instead, so that the same clip always gives the same words), beam
search, timestamps, and conditioning on the previous window's text.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mgc import MgcError, UsageError
from mgc.extractors.pretrained_weights import Weights

NO_SPEECH_LOG_PROBABILITY = -1.0  # per token; Whisper's own bound, below which it is guessing
MAX_REPETITION = 2.4  # compression ratio of a text; Whisper's own bound
NO_SPEECH_TOKENS = ("<|nospeech|>", "<|nocaptions|>")  # the newer name, and the older
SUPPRESSED = -torch.inf


@dataclass(frozen=True)
class Transcript:
    """What Whisper made of one window.

    ``no_speech``: probability that nobody speaks; ``languages``: code → probability;
    ``confidence``: mean log-probability per token; ``repetition``: how far the text can be
    compressed, as a ratio; ``seconds`` of sound.
    """

    text: str
    no_speech: float
    languages: dict[str, float]
    confidence: float
    seconds: float

    @property
    def repetition(self) -> float:
        """Bytes of the text per compressed byte; 0 if there is no text."""
        raw = self.text.encode()
        return len(raw) / len(zlib.compress(raw)) if raw else 0.0

    def heard(self, no_speech: float) -> bool:
        """Whether the words can be trusted; see the module's constants."""
        guessing = self.confidence < NO_SPEECH_LOG_PROBABILITY
        return not (self.no_speech > no_speech and guessing) and (self.repetition <= MAX_REPETITION)


@dataclass(frozen=True)
class Transcriber:
    """A Whisper model, including its decoder. With ``language`` None it is detected in each
    window."""

    weights: Weights
    device: str
    language: str | None = None
    translate: bool = False
    longest: int = 224

    def __call__(self, wave: Tensor, rate: int) -> Transcript:
        """One window (sample,) float32, at most 30 s."""
        states = self._encode(wave, rate)
        first = self._step(states, torch.tensor([[self._start]], device=self.device))[0]
        probabilities = first.softmax(-1)
        languages = {code: float(probabilities[token]) for code, token in self._languages.items()}
        ids, confidence = self._decode(states, self._prompt(languages))
        total = sum(languages.values()) or 1.0
        return Transcript(
            text=self._tokenizer.decode(ids, skip_special_tokens=True).strip(),
            no_speech=float(probabilities[self._no_speech]),
            languages={code: value / total for code, value in languages.items()},
            confidence=confidence,
            seconds=len(wave) / rate,
        )

    def _encode(self, wave: Tensor, rate: int) -> Any:
        prepared = self._prepare(wave.numpy(), sampling_rate=rate, return_tensors="pt")
        return self._model.get_encoder()(prepared.input_features.to(self.device))

    def _prompt(self, languages: dict[str, float]) -> list[int]:
        """The tokens that the decoder is started with: language, task, no timestamps."""
        ids = [self._start]
        if languages:
            code = self.language or max(languages, key=languages.__getitem__)
            if code not in self._languages:
                raise UsageError(
                    f"language={code}: {self.weights.model} does not support it.",
                    f"It supports {', '.join(sorted(self._languages))}.",
                )
            task = "translate" if self.translate else "transcribe"
            ids += [self._languages[code], self._settings["task_to_id"][task]]
        elif self.translate:
            raise UsageError(
                f"translate=true: {self.weights.model} supports English only.",
                "Choose a multilingual model, such as openai/whisper-base.",
            )
        return [*ids, self._settings["no_timestamps_token_id"]]

    def _decode(self, states: Any, prompt: list[int]) -> tuple[list[int], float]:
        """The most likely tokens, one after another, and their mean log-probability."""
        end, ids, total = self._end, [], 0.0
        tokens, cache = torch.tensor([prompt], device=self.device), None
        room = int(self._model.config.max_target_positions) - len(prompt)
        for number in range(min(self.longest, room)):
            logits, cache = self._step(states, tokens, cache)
            logits[self._suppressed] = SUPPRESSED
            if number == 0:
                logits[self._not_first] = SUPPRESSED
            best = int(logits.argmax())
            total += float(logits.log_softmax(-1)[best])
            if best == end:
                break
            ids.append(best)
            tokens = torch.tensor([[best]], device=self.device)
        return ids, total / (len(ids) + 1)

    def _step(self, states: Any, tokens: Tensor, cache: Any = None) -> tuple[Tensor, Any]:
        """Logits (token,) of what comes after ``tokens``, and the decoder's cache."""
        output = self._model(
            encoder_outputs=states,
            decoder_input_ids=tokens,
            past_key_values=cache,
            use_cache=True,
        )
        return output.logits[0, -1].float(), output.past_key_values

    @cached_property
    def _model(self) -> Any:
        from transformers import WhisperForConditionalGeneration

        self.weights.check_type(("whisper",))
        return self.weights.load(WhisperForConditionalGeneration).to(self.device)

    @cached_property
    def _prepare(self) -> Any:
        from transformers import WhisperFeatureExtractor

        return self._from_folder(WhisperFeatureExtractor)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import WhisperTokenizer

        made = self._from_folder(WhisperTokenizer)
        # Without its files, transformers silently makes an empty one.
        if made.get_vocab().get("<|endoftext|>") != self._end:
            raise MgcError(
                f"{self.weights.folder} has no tokenizer.",
                f"Fetch it again: {self.weights.command}",
            )
        return made

    def _from_folder(self, cls: Any) -> Any:
        try:
            return cls.from_pretrained(self.weights.folder, local_files_only=True)
        except Exception as error:  # tokenizers and transformers each raise their own
            raise MgcError(
                f"{self.weights.folder} has no usable {cls.__name__}: {error}",
                f"Fetch it again: {self.weights.command}",
            ) from error

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """Which token means what: the model's generation_config.json."""
        settings: dict[str, Any] = self._model.generation_config.to_dict()
        if "no_timestamps_token_id" not in settings:
            raise MgcError(
                f"{self.weights.folder} has no generation_config.json for transcription.",
                f"Fetch it again: {self.weights.command}",
            )
        return settings

    @cached_property
    def _languages(self) -> dict[str, int]:
        """Code → token; empty for a model that knows English only."""
        found = self._settings.get("lang_to_id") or {}
        return {token.strip("<|>"): number for token, number in found.items()}

    @cached_property
    def _no_speech(self) -> int:
        known = self._tokenizer.get_vocab()
        for token in NO_SPEECH_TOKENS:
            if token in known:
                return int(known[token])
        # If no token has the name, it is the one before <|notimestamps|>, as in OpenAI's code.
        return int(self._settings["no_timestamps_token_id"]) - 1

    @property
    def _start(self) -> int:
        return int(self._model.config.decoder_start_token_id)

    @property
    def _end(self) -> int:
        return int(self._model.config.eos_token_id)

    @cached_property
    def _suppressed(self) -> list[int]:
        """Tokens that are not text: the model's own list, and all special tokens, which come after
        the end token."""
        own = self._settings.get("suppress_tokens") or []
        special = range(self._end + 1, self._model.config.vocab_size)
        return sorted({number for number in (*own, *special) if number >= 0})

    @cached_property
    def _not_first(self) -> list[int]:
        return list(self._settings.get("begin_suppress_tokens") or [])
