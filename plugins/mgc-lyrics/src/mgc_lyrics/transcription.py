"""From sound to words: Whisper's encoder and decoder, read greedily.

After Radford et al. 2022, "Robust speech recognition via large-scale weak supervision", section
4.5. Left out of their method: sampling at higher temperatures if greedy decoding fails (the
window's words are dropped instead, so that the same clip always gives the same words), beam
search, timestamps, and conditioning on the previous window's text.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
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
MAX_WINDOWS = 16  # decoded side by side: a step reads all weights, however many there are
CACHE_BYTES = 1 << 30  # of the keys and values of the sound, which each step reads
LOOP = 48  # tokens; if a text ends in so many that repeat a third of them or less, it loops


def compression(text: str) -> float:
    """Bytes of a text per compressed byte; 0 if there is no text."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def loops(ids: Sequence[int]) -> bool:
    """Whether the last `LOOP` tokens are one phrase, three times or more."""
    end = ids[-LOOP:]
    return len(end) == LOOP and any(end[n:] == end[:-n] for n in range(1, LOOP // 3 + 1))


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
        return compression(self.text)

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

    def __call__(self, waves: Sequence[Tensor], rate: int) -> list[Transcript]:
        """Windows (sample,) float32, each at most 30 s, decoded side by side."""
        states = torch.cat([self._encode(wave, rate) for wave in waves])
        start = torch.full((len(waves), 1), self._start, device=self.device)
        logits, cache = self._step(states, start)
        probabilities = logits.softmax(-1).cpu()
        languages = [
            {code: float(row[token]) for code, token in self._languages.items()}
            for row in probabilities
        ]
        prompts = torch.tensor([self._prompt(each) for each in languages], device=self.device)
        decoded = self._decode(states, prompts, cache)
        return [
            Transcript(
                text=self._text(ids),
                no_speech=float(row[self._no_speech]),
                languages={code: value / sum(each.values()) for code, value in each.items()},
                confidence=confidence,
                seconds=len(wave) / rate,
            )
            for wave, row, each, (ids, confidence) in zip(
                waves, probabilities, languages, decoded, strict=True
            )
        ]

    @cached_property
    def together(self) -> int:
        """How many windows to decode side by side."""
        shape = self._model.config
        window = shape.decoder_layers * shape.max_source_positions * shape.d_model * 2 * 4
        return int(max(1, min(MAX_WINDOWS, CACHE_BYTES // window)))

    def _encode(self, wave: Tensor, rate: int) -> Tensor:
        """States (1, position, feature): encoding windows one by one is no slower."""
        prepared = self._prepare(wave.numpy(), sampling_rate=rate, return_tensors="pt")
        states: Tensor = self._model.get_encoder()(prepared.input_features.to(self.device))[0]
        return states

    def _prompt(self, languages: dict[str, float]) -> list[int]:
        """What follows the start token: language, task, no timestamps."""
        ids: list[int] = []
        if languages:
            code = self.language or max(languages, key=languages.__getitem__)
            if code not in self._languages:
                raise UsageError(
                    f"language={code}: {self.weights.model} does not support it.",
                    f"It supports {', '.join(sorted(self._languages))}.",
                )
            task = "translate" if self.translate else "transcribe"
            ids = [self._languages[code], self._settings["task_to_id"][task]]
        elif self.translate:
            raise UsageError(
                f"translate=true: {self.weights.model} supports English only.",
                "Choose a multilingual model, such as openai/whisper-base.",
            )
        return [*ids, self._settings["no_timestamps_token_id"]]

    def _decode(self, states: Tensor, tokens: Tensor, cache: Any) -> list[tuple[list[int], float]]:
        """The most likely tokens after ``tokens`` (window, token), one after another, and their
        mean log-probability. A window that has ended leaves the batch."""
        written: list[list[int]] = [[] for _ in tokens]
        totals = [0.0] * len(tokens)
        windows = list(range(len(tokens)))
        room = int(self._model.config.max_target_positions) - tokens.shape[1] - 1
        for number in range(min(self.longest, room)):
            logits, cache = self._step(states, tokens, cache)
            logits += self._text_only if number else self._first_text
            best, found = logits.max(-1)
            surely = (best - logits.logsumexp(-1)).tolist()
            going = []
            for place, token in enumerate(found.tolist()):
                window = windows[place]
                totals[window] += surely[place]
                if token != self._end:
                    written[window].append(token)
                    if not self._is_stuck(written[window]):
                        going.append(place)
            if not going:
                break
            if len(going) < len(windows):
                kept = torch.tensor(going, device=self.device)
                windows = [windows[place] for place in going]
                states, found = states[kept], found[kept]
                cache.batch_select_indices(kept)
            tokens = found[:, None]
        return [(ids, total / (len(ids) + 1)) for ids, total in zip(written, totals, strict=True)]

    def _is_stuck(self, ids: list[int]) -> bool:
        """Whether it only repeats itself now, in a text that will not be believed."""
        return loops(ids) and compression(self._text(ids)) > MAX_REPETITION

    def _text(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _step(self, states: Tensor, tokens: Tensor, cache: Any = None) -> tuple[Tensor, Any]:
        """Logits (window, token) of what comes after ``tokens``, and the decoder's cache."""
        output = self._model.model.decoder(
            tokens, encoder_hidden_states=states, past_key_values=cache, use_cache=True
        )
        # For a few windows on a CPU this is about twice as fast as the other way round.
        logits = self._model.proj_out.weight @ output.last_hidden_state[:, -1].T
        return logits.T.contiguous(), output.past_key_values

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
    def _text_only(self) -> Tensor:
        """What is added to the logits (token,): minus infinity for tokens that are not text, the
        model's own list and all special tokens, which come after the end token."""
        own = self._settings.get("suppress_tokens") or []
        added = torch.zeros(self._model.config.vocab_size, device=self.device)
        added[[number for number in own if number >= 0]] = -torch.inf
        added[self._end + 1 :] = -torch.inf
        return added

    @cached_property
    def _first_text(self) -> Tensor:
        """The same for the first token."""
        added = self._text_only.clone()
        added[self._settings.get("begin_suppress_tokens") or []] = -torch.inf
        return added
