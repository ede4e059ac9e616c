"""Decoding as transformers decodes, numbers from words, and mgc's contract."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mgc_lyrics.lyrics import Lyrics, LyricsParams
from mgc_lyrics.plugin import RATE, mgc_extractors
from mgc_lyrics.text import FACTS, LANGUAGES, hashed, vector
from mgc_lyrics.transcription import LOOP, MAX_REPETITION, Transcript, loops

from mgc import MgcError, UsageError
from mgc.audio.clips import Clips
from mgc.checks import parametrize
from mgc.plugins import params

from . import tiny


@cache
def model(multilingual: bool = True) -> Path:
    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    return tiny.save(Path(made.name) / "tiny", multilingual=multilingual)


def lyrics(**settings: Any) -> Lyrics:
    given = {"model": str(model()), "longest": 40, **settings}
    return Lyrics(params.build(LyricsParams, given, "extractor lyrics"), "cpu")


def wave(seconds: float, seed: int = 0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * random.uniform(100, 900) * time)
    return torch.from_numpy((0.3 * tone + 0.05 * random.standard_normal(len(time))).astype("f4"))


def transcribed(sound: torch.Tensor, **settings: Any) -> list[Transcript]:
    with torch.inference_mode():
        return lyrics(**settings).transcripts([sound])[0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("language", [None, "es"])
def test_words_are_those_that_transformers_decodes(seed: int, language: str | None) -> None:
    from transformers import (
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    sound = wave(4.0, seed)
    reference = WhisperForConditionalGeneration.from_pretrained(model()).eval()
    prepared = WhisperFeatureExtractor()(sound.numpy(), sampling_rate=RATE, return_tensors="pt")
    ids = reference.generate(
        prepared.input_features, language=language, task="transcribe", max_new_tokens=40,
        do_sample=False, num_beams=1,
    )  # fmt: skip
    tokenizer = WhisperTokenizer.from_pretrained(model())
    wanted = tokenizer.decode(ids[0], skip_special_tokens=True).strip()
    (got,) = transcribed(sound, language=language)
    assert wanted
    assert got.text == wanted


def test_windows_side_by_side_have_the_words_that_transformers_decodes_for_each() -> None:
    from transformers import (
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    sounds = [wave(4.0, seed) for seed in range(12)]
    with torch.inference_mode():
        together = lyrics(longest=60).transcripts(sounds)
    reference = WhisperForConditionalGeneration.from_pretrained(model()).eval()
    tokenizer = WhisperTokenizer.from_pretrained(model())
    lengths, stopped = set(), 0
    for sound, (got,) in zip(sounds, together, strict=True):
        prepared = WhisperFeatureExtractor()(sound.numpy(), sampling_rate=RATE, return_tensors="pt")
        ids = reference.generate(
            prepared.input_features, task="transcribe", max_new_tokens=60, do_sample=False,
        )  # fmt: skip
        wanted = tokenizer.decode(ids[0], skip_special_tokens=True).strip()
        # It may have stopped in a loop, within a letter.
        assert wanted.startswith(got.text.rstrip("\ufffd"))
        assert got.text == wanted or got.repetition > MAX_REPETITION
        stopped += got.text != wanted
        lengths.add(len(got.text))
    assert 0 < stopped < len(sounds)
    assert len(lengths) > 3  # they left the batch one after another


@pytest.mark.parametrize(
    ("ids", "looping"),
    [
        ([1, 2, *[5] * LOOP], True),
        ([9, *[3, 1, 4] * (LOOP // 3)], True),
        (list(range(16)) * 3, True),
        (list(range(17)) * 3, False),  # too long to be said three times in so many tokens
        ([5] * (LOOP - 1), False),
        ([*[5] * LOOP, 6], False),  # it has gone on
    ],
)
def test_a_loop_is_a_phrase_said_three_times_at_the_end(ids: list[int], looping: bool) -> None:
    assert loops(ids) is looping


def test_the_language_is_the_one_that_transformers_detects() -> None:
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

    reference = WhisperForConditionalGeneration.from_pretrained(model()).eval()
    for seed in range(3):
        sound = wave(4.0, seed)
        prepared = WhisperFeatureExtractor()(sound.numpy(), sampling_rate=RATE, return_tensors="pt")
        (token,) = reference.detect_language(prepared.input_features).tolist()
        (got,) = transcribed(sound)
        best = max(got.languages, key=got.languages.__getitem__)
        assert reference.generation_config.lang_to_id[f"<|{best}|>"] == token
        assert sum(got.languages.values()) == pytest.approx(1.0)
        assert 0 <= got.no_speech <= 1


def test_a_model_for_english_only_has_no_languages() -> None:
    (got,) = transcribed(wave(3.0), model=str(model(multilingual=False)))
    assert got.languages == {}
    made = lyrics(model=str(model(multilingual=False)))
    row = made(Clips(wave(3.0)[None], RATE))[0]
    assert row.shape == (len(FACTS) + len(LANGUAGES) + 1 + 256,)
    assert not row[len(FACTS) : len(FACTS) + len(LANGUAGES) + 1].any()
    with pytest.raises(UsageError, match="supports English only"):
        transcribed(wave(3.0), model=str(model(multilingual=False)), translate=True)


def test_an_unknown_language_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="language=xx") as caught:
        transcribed(wave(3.0), language="xx")
    assert "en, es, sw" in caught.value.hint


def test_translating_is_another_prompt() -> None:
    (plain,), (translated,) = transcribed(wave(4.0)), transcribed(wave(4.0), translate=True)
    assert plain.text != translated.text


def test_long_clips_are_heard_in_windows() -> None:
    assert [round(t.seconds, 2) for t in transcribed(wave(65.0))] == [30.0, 30.0, 5.0]
    assert [round(t.seconds, 2) for t in transcribed(wave(30.2))] == [30.0]


def said(text: str, no_speech: float = 0.1, confidence: float = -0.3, **more: Any) -> Transcript:
    return Transcript(text, no_speech, more.get("languages", {"en": 1.0}), confidence, 30.0)


@pytest.mark.parametrize(
    ("window", "believed"),
    [
        (said("love me do"), True),
        (said("love me do", no_speech=0.9), True),  # sure of what it wrote
        (said("love me do", confidence=-2.0), True),  # sure that somebody sings
        (said("thank you", no_speech=0.9, confidence=-2.0), False),
        (said("la la la la " * 30), False),
        (said(""), True),
    ],
)
def test_words_are_believed_by_whispers_own_rules(window: Transcript, believed: bool) -> None:
    assert window.heard(0.6) is believed


def fact(row: np.ndarray, start: str) -> float:
    (number,) = [n for n, name in enumerate(FACTS) if name.startswith(start)]
    return float(row[number])


def test_facts_count_words_and_repetition() -> None:
    row = vector([said("I love you, yeah I love you, yeah")], 0.6, 64)
    assert fact(row, "words a second") == pytest.approx(np.log1p(8 / 30), rel=1e-5)
    assert fact(row, "different words") == pytest.approx(4 / 8)
    assert fact(row, "different pairs") == pytest.approx(4 / 7)
    assert fact(row, "the most frequent") == pytest.approx(2 / 8)
    assert fact(row, "probability that somebody") == pytest.approx(0.9)
    assert fact(row, "letters a word") == pytest.approx((1 + 4 + 3 + 4) / 4)


def test_an_instrumental_has_facts_but_no_words() -> None:
    nobody = said("thank you for watching", no_speech=0.95, confidence=-2.0)
    row = vector([nobody, nobody], 0.6, 64)
    assert np.isfinite(row).all()
    assert fact(row, "probability that somebody") == pytest.approx(0.05)
    assert fact(row, "share of windows") == 0
    assert not row[-64:].any()


def test_languages_are_weighed_by_length_and_the_rest_is_other() -> None:
    long = Transcript("hola", 0.1, {"es": 1.0}, -0.2, 30.0)
    short = Transcript("hujambo", 0.1, {"sw": 1.0}, -0.2, 10.0)
    row = vector([long, short], 0.6, 8)
    shares = dict(zip([*LANGUAGES, "other"], row[len(FACTS) : -8], strict=True))
    assert shares["es"] == pytest.approx(0.75)
    assert shares["other"] == pytest.approx(0.25)


def test_hashed_words_tell_texts_apart_and_do_not_depend_on_case() -> None:
    one, other = hashed("Love me do", 256), hashed("Kill the king", 256)
    np.testing.assert_allclose(hashed("love ME do!", 256), one)
    assert np.linalg.norm(one) == pytest.approx(1.0)
    assert abs(one @ other) < 0.5
    assert hashed("愛してる", 256).any()


def test_a_model_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    tiny.save(tmp_path)
    for name in ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(MgcError, match="no tokenizer"):
        transcribed(wave(2.0), model=str(tmp_path))


def test_a_model_that_is_not_here_says_how_to_fetch_it() -> None:
    with pytest.raises(MgcError, match="not on this machine") as caught:
        lyrics(model="openai/whisper-nowhere").identity()
    assert "mgc features fetch lyrics --set model=openai/whisper-nowhere" in caught.value.hint


@parametrize("lyrics", settings=lambda: {"model": str(model()), "longest": 8})
def test_lyrics_conform(check: Any) -> None:
    check()


def test_the_record_names_the_weights_of_the_default_model() -> None:
    (info,) = mgc_extractors()
    assert info.weights == f"hub:{LyricsParams().model}"
